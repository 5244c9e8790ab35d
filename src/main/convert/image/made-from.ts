// SPDX-License-Identifier: GPL-3.0-or-later

/** What a converted image was made from, noted in its manifest: so that nobody has to convert the same once more. */

import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { CrfsError } from '../../errors/error.js';
import type { ImageSource } from '../../images/types.js';
import { checkJson, jsonOf, type Told } from '../../schema/check.js';
import { anyTable, strings, table } from '../../schema/schemas.js';
import type { DeflaterOptions } from '../deflater.js';
import type { LayerOptions } from '../layer.js';

const MADE_FROM = 'io.github.crfs-plugin.made-from';

const annotated = table({ annotations: v.nullish(strings, {}) });

/** Where to look for an image that was made before. */
export interface Earlier {
  /** Opens what is at the destination; rejects with CRFS_NOT_FOUND if there is nothing. */
  readonly open: () => Promise<ImageSource>;
  /** The options that make a difference to what is written, in one word. */
  readonly options: string;
  /** Convert whatever was made before. */
  readonly force: boolean;
}

/** The options by which what is written differs, in one word: equal words, equal layers. */
export function optionsWord(
  { format, chunkSize, minChunkSize, prioritize, startOrder }: Omit<LayerOptions, 'name'>,
  { level, engine }: DeflaterOptions,
): string {
  const order = prioritize?.length ? hashOf(prioritize) : startOrder ? `profile-${hashOf(startOrder)}` : 'none';
  return [format, chunkSize, minChunkSize, level, engine, order].join(':');
}

function hashOf(paths: readonly string[]): string {
  return createHash('sha256').update(paths.join('\n')).digest('hex');
}

/** What stands in the annotation: the digest of the source's manifest or index, and the options. */
export function madeFrom(source: string, { options }: Earlier): string {
  return `${source} ${options}`;
}

/** The digest of what is at the destination, if it was made from just this. What cannot be read there counts as nothing. */
export async function madeBefore({ open, force }: Earlier, made: string): Promise<string | undefined> {
  if (force) return undefined;
  try {
    const image = await open();
    try {
      const { bytes, digest } = await image.top();
      const { annotations } = checkJson(annotated, bytes, told(digest));
      return annotations[MADE_FROM] === made ? digest : undefined;
    } finally {
      await image.close();
    }
  } catch (error) {
    if (error instanceof CrfsError) return undefined; // whatever is wrong there, writing tells of it
    throw error;
  }
}

/** A manifest or index with the annotation. */
export function noteMadeFrom(manifest: Uint8Array, made: string): Buffer {
  const parsed = checkJson(anyTable, manifest, told('the converted image'));
  const { annotations } = checkJson(annotated, manifest, told('the converted image'));
  return jsonOf({ ...parsed, annotations: { ...annotations, [MADE_FROM]: made } }, told('the converted image'));
}

function told(name: string): Told {
  return { where: `the manifest of ${name} is broken`, code: 'CRFS_BAD_LAYER' };
}
