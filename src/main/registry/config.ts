// SPDX-License-Identifier: GPL-3.0-or-later

/** What is read of an image's config: OCI image-spec, "Image Configuration". */

import * as v from 'valibot';
import { isDigest } from '../blob/digest.js';
import { CrfsError } from '../errors/error.js';
import { checkJson } from '../schema/check.js';
import { table } from '../schema/schemas.js';

const digest = v.custom<string>(isDigest, 'sha256: and 64 hex digits');
const rootfs = table({ diff_ids: v.nullish(v.array(digest, 'a list'), []) }); // Go's encoder writes null for an empty list
const configSchema = table({ rootfs: v.nullish(rootfs, {}) });

/**
 * The digests of the uncompressed layers by an image's config, the base first.
 * Throws CRFS_BAD_LAYER for a config that does not say them of all `layers`.
 */
export function diffIdsOf(config: Uint8Array, image: string, layers: number): readonly string[] {
  const where = `the config of ${image} is broken`;
  const { diff_ids: ids } = checkJson(configSchema, config, { where, code: 'CRFS_BAD_LAYER' }).rootfs;
  if (ids.length === layers) return ids;
  throw new CrfsError(
    'CRFS_BAD_LAYER',
    `${where}: rootfs.diff_ids lists ${ids.length} layers, and the manifest ${layers}`,
  );
}
