// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, openSync, unlinkSync } from 'node:fs';
import { addon } from '../../native/addon.js';
import type { BlobSource } from '../blob/source.js';
import { CrfsError } from '../errors/error.js';
import { recognise } from '../formats/recognise.js';
import { buildIndex } from '../index/build.js';
import { indexMemory } from '../index/memory.js';
import { IndexReader } from '../index/reader.js';
import { isPlain, plainFormats } from '../plain/plain.js';
import { loadSettings } from '../settings/settings.js';
import type { LayerSource } from '../sources/open.js';
import type { Workspace } from './workspace.js';

/** A layer whose TOC has been read. */
export interface InspectedLayer {
  /** 1 is the base. */
  readonly number: number;
  readonly name: string;
  /** `sha256:…` of the blob, where it is named by that. */
  readonly digest: string | undefined;
  readonly kind: string;
  readonly tocOffset: number;
  readonly index: IndexReader;
  /** The index as a file, open for as long as the process lives. */
  readonly indexFd: number;
  readonly blob: BlobSource;
  /** Where the cache has contents of its files, of a layer whose index is the cache's. */
  readonly objects?: string;
}

/**
 * Reads the TOC of a layer out of `blob`. Throws CRFS_DIGEST if it is not the one that the manifest names, and what
 * recognise and buildIndex throw.
 */
export async function readLayer(
  layer: Omit<LayerSource, 'open'>,
  number: number,
  blob: BlobSource,
  workspace: Workspace,
): Promise<InspectedLayer> {
  const settings = await loadSettings({});
  const found = await recognise(blob, layer.tocPosition, plainFormats(settings.lazy, layer.tocDigest));
  const elsewhere = found.toc === undefined ? await layer.openToc() : undefined;
  const path = workspace.path();
  const memoryLimit = indexMemory(settings['index-memory']);
  const { tocDigest, kind, tocOffset } = await buildIndex({
    layer: found,
    ...(elsewhere && { tocBlob: elsewhere }),
    path,
    memoryLimit,
    blobIdentity: layer.identity,
  });
  const indexFd = openSync(path, 'r');
  unlinkSync(path);
  const named = isPlain(kind) ? layer.digest : layer.tocDigest;
  if (named !== undefined && named !== `sha256:${tocDigest}`) {
    closeSync(indexFd);
    const what = isPlain(kind) ? 'the blob' : 'its TOC';
    const wrong = `${what} is sha256:${tocDigest}, not ${named} as the manifest says`;
    throw new CrfsError('CRFS_DIGEST', `${layer.name}: ${wrong}`);
  }
  const index = new IndexReader(addon.map(indexFd, false));
  return { number, name: layer.name, digest: layer.digest, kind, tocOffset, index, indexFd, blob };
}
