// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, openSync, unlinkSync } from 'node:fs';
import { addon } from '../../native/addon.js';
import type { BlobSource } from '../blob/source.js';
import { CrfsError } from '../errors/error.js';
import type { LayerKind } from '../formats/footer.js';
import { openToc, type Toc } from '../formats/toc.js';
import { buildIndex } from '../index/build.js';
import { indexMemory } from '../index/memory.js';
import { IndexReader } from '../index/reader.js';
import { loadSettings } from '../settings/settings.js';
import type { LayerSource } from '../sources/open.js';
import type { Workspace } from './workspace.js';

/** A layer whose TOC has been read. */
export interface OpenLayer {
  /** 1 is the base. */
  readonly number: number;
  readonly name: string;
  /** `sha256:…` of the blob, where it is named by that. */
  readonly digest: string | undefined;
  readonly kind: LayerKind;
  readonly tocOffset: number;
  readonly index: IndexReader;
  /** The index as a file, open for as long as the process lives. */
  readonly indexFd: number;
  readonly blob: BlobSource;
}

/**
 * Reads the TOC of a layer out of `blob`. Throws CRFS_DIGEST if it is not the one that the manifest names, and what
 * openToc and buildIndex throw.
 */
export async function readLayer(
  layer: Omit<LayerSource, 'open'>,
  number: number,
  blob: BlobSource,
  workspace: Workspace,
): Promise<OpenLayer> {
  const toc = await tocOf(layer, blob);
  const path = workspace.path();
  const memoryLimit = indexMemory((await loadSettings({}))['index-memory']);
  const { tocDigest, kind, tocOffset } = await buildIndex({ toc, path, memoryLimit, blobIdentity: layer.identity });
  const indexFd = openSync(path, 'r');
  unlinkSync(path);
  if (layer.tocDigest !== undefined && layer.tocDigest !== `sha256:${tocDigest}`) {
    closeSync(indexFd);
    const found = `its TOC is sha256:${tocDigest}, not ${layer.tocDigest} as the manifest says`;
    throw new CrfsError('CRFS_DIGEST', `${layer.name}: ${found}`);
  }
  const index = new IndexReader(addon.map(indexFd, false));
  return { number, name: layer.name, digest: layer.digest, kind, tocOffset, index, indexFd, blob };
}

/** A TOC is looked for elsewhere only where the blob holds none: that takes requests. */
async function tocOf(layer: Omit<LayerSource, 'open'>, blob: BlobSource): Promise<Toc> {
  try {
    return await openToc(blob);
  } catch (error) {
    if (!(error instanceof CrfsError) || error.code !== 'CRFS_NOT_FOUND') throw error;
    const elsewhere = await layer.openToc();
    if (elsewhere === undefined) throw error;
    return await openToc(blob, elsewhere);
  }
}
