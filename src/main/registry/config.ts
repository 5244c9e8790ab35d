// SPDX-License-Identifier: GPL-3.0-or-later

/** What is read of an image's config: OCI image-spec, "Image Configuration". */

import * as v from 'valibot';
import { isDigest } from '../blob/digest.js';
import { CrfsError } from '../errors/error.js';
import { checkJson, type Told } from '../schema/check.js';
import { anyTable, strings, table } from '../schema/schemas.js';

const digest = v.custom<string>(isDigest, 'sha256: and 64 hex digits');
const rootfs = table({ diff_ids: v.nullish(v.array(digest, 'a list'), []) }); // Go's encoder writes null for an empty list
const rootfsSchema = table({ rootfs: v.nullish(rootfs, {}) });

const text = v.nullish(v.string('a string'), '');
const texts = v.nullish(v.array(v.string('a string'), 'a list'), []);
/** Go's way to write a set: an object, of which the keys count. */
const names = v.pipe(
  v.nullish(anyTable, {}),
  v.transform((set) => Object.keys(set)),
);
const runSchema = table({
  Entrypoint: texts,
  Cmd: texts,
  Env: texts,
  User: text,
  WorkingDir: text,
  Volumes: names,
  ExposedPorts: names,
  StopSignal: text,
  Labels: v.nullish(strings, {}),
});
const configSchema = table({
  os: text,
  architecture: text,
  variant: text,
  created: text,
  config: v.nullish(runSchema, {}),
});

/** How an image wants to be run. What it does not say is empty. */
export interface ImageConfig {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
  /** RFC 3339 */
  readonly created: string;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  /** `NAME=value` each. */
  readonly env: readonly string[];
  readonly user: string;
  readonly workingDirectory: string;
  readonly volumes: readonly string[];
  /** `80/tcp` */
  readonly ports: readonly string[];
  readonly stopSignal: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What an image's config says. Throws CRFS_BAD_LAYER, with the image's name, for one that is broken. */
export function parseConfig(config: Uint8Array, image: string): ImageConfig {
  const { config: run, ...facts } = checkJson(configSchema, config, told(image));
  return {
    ...facts,
    entrypoint: run.Entrypoint,
    cmd: run.Cmd,
    env: run.Env,
    user: run.User,
    workingDirectory: run.WorkingDir,
    volumes: run.Volumes,
    ports: run.ExposedPorts,
    stopSignal: run.StopSignal,
    labels: run.Labels,
  };
}

/**
 * The digests of the uncompressed layers by an image's config, the base first.
 * Throws CRFS_BAD_LAYER for a config that does not say them of all `layers`.
 */
export function diffIdsOf(config: Uint8Array, image: string, layers: number): readonly string[] {
  const { diff_ids: ids } = checkJson(rootfsSchema, config, told(image)).rootfs;
  if (ids.length === layers) return ids;
  throw new CrfsError(
    'CRFS_BAD_LAYER',
    `${told(image).where}: rootfs.diff_ids lists ${ids.length} layers, and the manifest ${layers}`,
  );
}

function told(image: string): Told {
  return { where: `the config of ${image} is broken`, code: 'CRFS_BAD_LAYER' };
}
