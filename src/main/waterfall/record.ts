// SPDX-License-Identifier: GPL-3.0-or-later

/** How a start went: what was read and when, what it waited for, and what came over the network meanwhile. All times are milliseconds. */

import * as v from 'valibot';
import { isDigest } from '../blob/digest.js';
import type { Purpose } from '../fetch/flown.js';
import { checkJson } from '../schema/check.js';
import { table } from '../schema/schemas.js';

export interface StartFile {
  /** Place of the layer in `layers`. */
  readonly layer: number;
  /** In the layer, from its root, without a slash in front. */
  readonly path: string;
}

/** A part of a file that was asked for first. `file` and `request` are places in the lists of the record. */
export interface StartRead {
  readonly file: number;
  /** That it takes in the blob. */
  readonly bytes: number;
  readonly at: number;
  /** Which brought it, and ended last; null: it was here, or that is not known. */
  readonly request: number | null;
}

/** An open or a read that had to wait. */
export interface StartWait {
  readonly file: number;
  readonly at: number;
  readonly ms: number;
  /** Of these, in which it waited for the network: all else is a worker's, who inflates and checks. */
  readonly networkMs: number;
}

/** A request on the wire. */
export interface StartRequest {
  readonly layer: number;
  readonly purpose: Purpose;
  readonly bytes: number;
  readonly at: number;
  /** Until its first byte, and altogether. */
  readonly firstByteMs: number;
  readonly ms: number;
}

/** Bytes of a file in the blob that came, though nobody had asked for them by the end. */
export interface StartUnread {
  readonly file: number;
  readonly bytes: number;
  readonly purpose: Purpose;
}

export interface StartRecord {
  /** Digest of the image's manifest. */
  readonly image: string;
  /** ISO 8601: when the mount asked for the image: all times are counted from then. */
  readonly began: string;
  /** Digests of the blobs of all layers, the base first. */
  readonly layers: readonly string[];
  /** When the image's manifest was known, and when all layers could be read. */
  readonly resolved: number;
  readonly ready: number;
  readonly files: readonly StartFile[];
  readonly reads: readonly StartRead[];
  readonly waits: readonly StartWait[];
  readonly requests: readonly StartRequest[];
  /** The largest ones; and how much there was in all. */
  readonly unread: readonly StartUnread[];
  readonly unreadFiles: number;
  readonly unreadBytes: number;
  /** Opens that came faster than they could be followed. */
  readonly missed: number;
}

/** The largest of what came and was not read are named. */
const MOST_UNREAD = 512;

/** What a record says of all that came and was not read, the largest first. */
export function unreadOf<T extends { readonly bytes: number }>(
  all: readonly T[],
): { readonly unread: readonly T[]; readonly unreadFiles: number; readonly unreadBytes: number } {
  const unreadBytes = all.reduce((sum, { bytes }) => sum + bytes, 0);
  return { unread: all.slice(0, MOST_UNREAD), unreadFiles: all.length, unreadBytes };
}

/** Of each list of a record. */
export const MOST_ENTRIES = 8192;
/** Of a record, as it is written. */
export const MOST_BYTES = 4 << 20;

const VERSION = 1;
const MOST_LAYERS = 1024;
const PATH_LIMIT = 4096;

const digest = v.custom<string>(isDigest, 'sha256: and 64 hex digits');
const whole = v.pipe(v.number('a whole number'), v.safeInteger('a whole number'), v.minValue(0, 'a whole number'));
const time = v.pipe(v.number('a time'), v.finite('a time'), v.minValue(0, 'a time'), v.maxValue(1e9, 'a time'));
const path = v.pipe(v.string('a path'), v.maxLength(PATH_LIMIT, 'a path'));
const purpose = v.picklist(['toc', 'demand', 'stream', 'ahead', 'order', 'background'], 'a purpose');

function listOf<T extends v.GenericSchema>(entry: T): v.GenericSchema<unknown, v.InferOutput<T>[]> {
  return v.pipe(v.array(entry, 'a list'), v.maxLength(MOST_ENTRIES, `at most ${MOST_ENTRIES} entries`));
}

const file = v.pipe(
  v.tuple([whole, path], 'a list of two'),
  v.transform(([layer, of]): StartFile => ({ layer, path: of })),
);
const read = v.pipe(
  v.tuple([whole, whole, time, v.nullable(whole)], 'a list of four'),
  v.transform(([of, bytes, at, request]): StartRead => ({ file: of, bytes, at, request })),
);
const wait = v.pipe(
  v.tuple([whole, time, time, time], 'a list of four'),
  v.transform(([of, at, ms, networkMs]): StartWait => ({ file: of, at, ms, networkMs })),
);
const request = v.pipe(
  v.tuple([whole, purpose, whole, time, time, time], 'a list of six'),
  v.transform(([layer, why, bytes, at, firstByteMs, ms]): StartRequest => {
    return { layer, purpose: why, bytes, at, firstByteMs, ms };
  }),
);
const unread = v.pipe(
  v.tuple([whole, whole, purpose], 'a list of three'),
  v.transform(([of, bytes, why]): StartUnread => ({ file: of, bytes, purpose: why })),
);
const schema = v.pipe(
  table({
    version: v.literal(VERSION, '1'),
    image: digest,
    began: v.pipe(v.string('a time'), v.isoTimestamp('a time')),
    layers: v.pipe(v.array(digest, 'a list'), v.maxLength(MOST_LAYERS, `at most ${MOST_LAYERS} layers`)),
    resolved: time,
    ready: time,
    files: listOf(file),
    reads: listOf(read),
    waits: listOf(wait),
    requests: listOf(request),
    unread: listOf(unread),
    unreadFiles: whole,
    unreadBytes: whole,
    missed: whole,
  }),
  v.check((record) => namesWhatIsThere(record), 'of files, layers and requests that are in it'),
);

type Lists = Pick<StartRecord, 'layers' | 'files' | 'reads' | 'waits' | 'requests' | 'unread'>;

/** Whether each place in another list is one. */
function namesWhatIsThere({ layers, files, reads, waits, requests, unread: left }: Lists): boolean {
  return (
    [...files, ...requests].every(({ layer }) => layer < layers.length) &&
    [...reads, ...waits, ...left].every((one) => one.file < files.length) &&
    reads.every((one) => one.request === null || one.request < requests.length)
  );
}

/** Parses what may be damaged. Throws CRFS_BAD_LAYER, in one line that begins with `where`. */
export function parseStart(text: Uint8Array, where: string): StartRecord {
  const { version: _, ...record } = checkJson(schema, text, { where, code: 'CRFS_BAD_LAYER' });
  return record;
}

/** The bytes of a record; of one that would be too large, what is about its first files. */
export function formatStart(record: StartRecord): Buffer {
  let files = record.files.slice(0, MOST_ENTRIES);
  for (;;) {
    const isKept = (one: { readonly file: number }): boolean => one.file < files.length;
    const first = <T>(list: readonly T[]): readonly T[] => list.slice(0, MOST_ENTRIES);
    const requests = first(record.requests);
    const reads = first(record.reads.filter(isKept));
    const written = {
      version: VERSION,
      ...record,
      files: files.map(({ layer, path: of }) => [layer, of]),
      reads: reads.map(({ file: of, bytes, at, request: by }) => {
        return [of, bytes, exact(at), by !== null && by < requests.length ? by : null];
      }),
      waits: first(record.waits.filter(isKept)).map((one) => {
        return [one.file, exact(one.at), exact(one.ms), exact(one.networkMs)];
      }),
      requests: requests.map((one) => {
        return [one.layer, one.purpose, one.bytes, exact(one.at), exact(one.firstByteMs), exact(one.ms)];
      }),
      unread: first(record.unread.filter(isKept)).map(({ file: of, bytes, purpose: why }) => [of, bytes, why]),
      resolved: exact(record.resolved),
      ready: exact(record.ready),
    };
    const text = Buffer.from(`${JSON.stringify(written)}\n`);
    if (text.length <= MOST_BYTES) return text;
    files = files.slice(0, Math.floor(files.length / 2));
  }
}

/** Milliseconds to the microsecond. */
function exact(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
