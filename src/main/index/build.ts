// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash } from 'node:crypto';
import { closeSync, unlinkSync } from 'node:fs';
import { addon } from '../../native/addon.js';
import type { BlobSource } from '../blob/source.js';
import { CrfsError } from '../errors/error.js';
import { LayerFault, namingBlob } from '../formats/fault.js';
import type { Layer } from '../formats/format.js';
import { orderChunks } from './chunk-table.js';
import { LayerTree } from './layer-tree.js';
import { type Numbering, numberNodes } from './numbering.js';
import { Output } from './output.js';
import { fillSlots } from './slots.js';
import { dropOverriddenWhiteouts } from './whiteouts.js';
import { writeIndex } from './write.js';

export interface IndexRequest {
  readonly layer: Layer;
  /** The blob that holds the TOC, where the layer's own does not. */
  readonly tocBlob?: BlobSource;
  /** Where to make the file, which must not exist; the caller renames it into place. */
  readonly path: string;
  /** Bytes that this may take: see `indexMemory`. */
  readonly memoryLimit: number;
  /** Tells this blob from all others, so that files without a digest are not taken for those of another blob. */
  readonly blobIdentity: string;
}

export interface IndexSummary {
  /** sha256 of the TOC, hex. */
  readonly tocDigest: string;
  readonly tocOffset: number;
  readonly kind: string;
  readonly inodes: number;
  /** Regular files among them. */
  readonly files: number;
  /** Bytes of all regular files. */
  readonly contentSize: number;
  /** Some file has no digest in the TOC: its bytes cannot be checked. */
  readonly unverified: boolean;
  /** Names the index, hex: equal keys mean equal indexes. */
  readonly key: string;
}

/**
 * Makes the index of a layer out of its TOC, in a read-only file at `path`. Holds about 300 bytes an entry meanwhile.
 * Throws CRFS_BAD_LAYER for a TOC that breaks a rule or takes more memory than it may, CRFS_NO_SPACE, and what the source throws; no file is left then.
 */
export function buildIndex(request: IndexRequest): Promise<IndexSummary> {
  const { layer, tocBlob, blobIdentity, memoryLimit } = request;
  return namingBlob(layer.name, async () => {
    const tree = new LayerTree(layer, blobIdentity, memoryLimit);
    try {
      const tocDigest = await layer.entries((entry) => tree.add(entry), tocBlob);
      tree.end();
      return writeLayer(request, tree, tocDigest);
    } finally {
      tree.release();
    }
  });
}

function writeLayer({ layer, path, blobIdentity }: IndexRequest, from: LayerTree, tocDigest: Buffer): IndexSummary {
  const { tree, contents, prefetchEnd } = from;
  dropOverriddenWhiteouts(tree);
  tree.freeze();
  const numbering = numberNodes(tree);
  const chunks = orderChunks({ tree, contents, layer }, numbering);
  const hashSeed = tocDigest.readUInt32LE();
  const slots = fillSlots(tree, numbering.dirents, hashSeed);
  const { unverified } = contents;
  const key = unverified ? createHash('sha256').update(tocDigest).update(blobIdentity).digest() : tocDigest;
  const { files, contentSize } = countFiles(from, numbering);
  const { codec } = layer;
  const facts = { key, codec, hashSeed, inoBase: inoBase(key), prefetchEnd, contentSize, unverified };

  const output = new Output(path);
  try {
    writeIndex(output, { layer: from, numbering, chunks, slots, facts, points: layer.points });
    from.release();
    output.seal();
    check(output.fd);
  } catch (error) {
    unlinkSync(path);
    throw error;
  } finally {
    closeSync(output.fd);
  }
  return {
    tocDigest: tocDigest.toString('hex'),
    tocOffset: layer.contentEnd,
    kind: layer.kind,
    inodes: numbering.inodes.length,
    files,
    contentSize,
    unverified,
    key: key.toString('hex'),
  };
}

/** Bit 63, which no plain file system sets, and 39 bits of the layer's key above the 24 that count inodes. */
function inoBase(key: Buffer): bigint {
  return (1n << 63n) | ((key.readBigUInt64LE() & ((1n << 39n) - 1n)) << 24n);
}

function countFiles({ tree }: LayerTree, { inodes }: Numbering): { files: number; contentSize: number } {
  let files = 0;
  let contentSize = 0;
  for (const node of inodes) {
    if (tree.nodes.isRegular(node)) {
      files++;
      contentSize += tree.nodes.size.at[node] as number;
    }
  }
  if (contentSize > Number.MAX_SAFE_INTEGER) {
    throw new LayerFault('its files are larger than 2^53 bytes together');
  }
  return { files, contentSize };
}

/** The plugin must never be the first to find out that an index is unsound. */
function check(fd: number): void {
  const mapping = addon.map(fd, false);
  const wrong = addon.indexCheck(new Uint8Array(mapping));
  addon.unmap(mapping);
  if (wrong !== null) {
    throw new CrfsError('CRFS_INTERNAL', `made an unsound index: ${wrong}`);
  }
}
