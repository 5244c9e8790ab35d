// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Start-up profiles: which parts of an image's files its first start has read, in which order. They say so by names that any
 * machine and any version understands: digests of layers, paths in them, and numbers of chunks.
 */

import * as v from 'valibot';
import { isDigest } from '../blob/digest.js';
import type { ErrorCode } from '../errors/error.js';
import { checkJson } from '../schema/check.js';
import { table } from '../schema/schemas.js';

/** Chunks of one file, counted from its first, that were asked for together. */
export interface ProfiledRun {
  /** Place of the layer in `layers`. */
  readonly layer: number;
  /** In the layer, from its root, without a slash in front. */
  readonly path: string;
  readonly first: number;
  readonly count: number;
  /** That these take in the blob. */
  readonly bytes: number;
  /** Milliseconds after the first run. */
  readonly at: number;
}

export interface Profile {
  /** Digest of the image's manifest. */
  readonly image: string;
  /** ISO 8601: when the start began. */
  readonly recorded: string;
  /** The first executable that was read, from the image's root; null: there was none. */
  readonly program: string | null;
  /** Digests of the blobs of all layers, the base first. */
  readonly layers: readonly string[];
  /** In the order in which they were first asked for. */
  readonly order: readonly ProfiledRun[];
}

/** A start that reads more is recorded up to here. */
export const MOST_RUNS = 8192;
/** Of a profile, as it is written. */
export const MOST_BYTES = 2 << 20;
/** The same as it is shown, with names for all numbers. */
export const MOST_SHOWN = 8 << 20;

const VERSION = 1;
const MOST_LAYERS = 1024;
const PATH_LIMIT = 4096;

const digest = v.custom<string>(isDigest, 'sha256: and 64 hex digits');
const path = v.pipe(v.string('a path'), v.maxLength(PATH_LIMIT, 'a path'));
const number = v.pipe(v.number('a whole number'), v.safeInteger('a whole number'), v.minValue(0, 'a whole number'));
const run = v.pipe(
  v.tuple([number, path, number, number, number, number], 'a list of six'),
  v.transform(([layer, of, first, count, bytes, at]): ProfiledRun => ({ layer, path: of, first, count, bytes, at })),
);
const facts = {
  image: digest,
  recorded: v.pipe(v.string('a time'), v.isoTimestamp('a time')),
  program: v.nullable(path),
  layers: v.pipe(v.array(digest, 'a list'), v.maxLength(MOST_LAYERS, `at most ${MOST_LAYERS} layers`)),
};
const most = v.maxLength<ProfiledRun[], number, string>(MOST_RUNS, `at most ${MOST_RUNS} runs`);
const schema = table({
  version: v.literal(VERSION, '1'),
  ...facts,
  order: v.pipe(v.array(run, 'a list'), most),
});
const shownRun = table({ layer: number, path, first: number, count: number, bytes: number, at: number });
const shown = table({ ...facts, order: v.pipe(v.array(shownRun, 'a list'), most) });

/** Parses what anybody may have written. Throws `code`, in one line that begins with `where`. */
export function parseProfile(text: Uint8Array, where: string, code: ErrorCode = 'CRFS_BAD_LAYER'): Profile {
  const { version: _, ...profile } = checkJson(schema, text, { where, code });
  return profile;
}

/** Parses what `crfs profile show --json` has printed. Throws CRFS_USAGE, in one line that begins with `where`. */
export function parseShown(text: Uint8Array, where: string): Profile {
  return checkJson(shown, text, { where, code: 'CRFS_USAGE' });
}

/** The bytes of a profile; of one that would be too large, of its beginning. */
export function formatProfile(profile: Profile): Buffer {
  let order = profile.order.slice(0, MOST_RUNS);
  for (;;) {
    const runs = order.map(({ layer, path: of, first, count, bytes, at }) => [layer, of, first, count, bytes, at]);
    const text = Buffer.from(`${JSON.stringify({ version: VERSION, ...profile, order: runs })}\n`);
    if (text.length <= MOST_BYTES) return text;
    order = order.slice(0, Math.floor(order.length / 2));
  }
}
