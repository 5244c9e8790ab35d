// SPDX-License-Identifier: GPL-3.0-or-later

import { LayerFault, quote } from '../formats/fault.js';
import type { Layer } from '../formats/format.js';
import type { Contents } from './contents.js';
import type { Numbering } from './numbering.js';
import type { Tree } from './tree.js';

/** The chunks of all files in the tree, as the index will hold them. */
export interface ChunkTable {
  /** By record: the chunk's number in the contents. Files stand in the order of their bytes in the blob. */
  readonly chunks: Uint32Array;
  /** By record: the inode. */
  readonly inodes: Uint32Array;
  /** By record: where the member ends; Infinity: where the TOC starts; its offset: it is zeros. */
  readonly ends: Float64Array;
  /** The largest offset in the table. */
  readonly blobUsed: number;
}

/**
 * Orders the chunks, and makes `first` of each file's node its first record.
 * Throws LayerFault for a file that cannot come out of its bytes of the blob.
 */
export function orderChunks(
  { tree, contents, layer }: { tree: Tree; contents: Contents; layer: Layer },
  { inodes, inodeOf }: Numbering,
): ChunkTable {
  const { nodes } = tree;
  const files = filesInBlob(tree, contents, inodes);
  const count = files.reduce((sum, node) => sum + (nodes.length.at[node] as number), 0);
  const table = { chunks: new Uint32Array(count), inodes: new Uint32Array(count), ends: new Float64Array(count) };
  const offsets = allOffsets(contents);
  let blobUsed = 0;
  let record = 0;
  for (const node of files) {
    const first = nodes.first.at[node] as number;
    nodes.first.at[node] = record;
    for (let chunk = first; chunk < first + (nodes.length.at[node] as number); chunk++) {
      const offset = contents.chunks.offset.at[chunk] as number;
      const isZeros = contents.chunks.zeros.at[chunk] === 1;
      const decoded = (contents.chunks.inner.at[chunk] as number) + (contents.chunks.size.at[chunk] as number);
      const behind = layer.endOf?.(offset, decoded) ?? offsetBehind(offsets, offset);
      const end = isZeros ? offset : behind;
      const bytes = Math.min(end, layer.contentEnd) - offset;
      if (!isZeros && decoded > bytes * layer.codec.expansion) {
        throw new LayerFault(
          `file ${quote(tree.path(node))}: the ${bytes} bytes of the blob at ${offset} cannot inflate to ${decoded}`,
        );
      }
      blobUsed = Math.max(blobUsed, offset);
      table.chunks[record] = chunk;
      table.inodes[record] = inodeOf[node] as number;
      table.ends[record++] = end;
    }
  }
  return { ...table, blobUsed };
}

/** The nodes of the regular files that have chunks, by the place of their first. */
function filesInBlob({ nodes }: Tree, contents: Contents, inodes: Uint32Array): Uint32Array {
  const files = inodes.filter((node) => nodes.isRegular(node) && (nodes.length.at[node] as number) > 0);
  const first = nodes.first.at;
  const { offset, inner } = contents.chunks;
  return files.sort((a, b) => {
    const aChunk = first[a] as number;
    const bChunk = first[b] as number;
    return (
      (offset.at[aChunk] as number) - (offset.at[bChunk] as number) ||
      (inner.at[aChunk] as number) - (inner.at[bChunk] as number)
    );
  });
}

/** Every offset in use, sorted, in the tree or not. */
function allOffsets({ chunks: { offset, count }, otherOffsets, otherCount }: Contents): Float64Array {
  const offsets = new Float64Array(count + otherCount);
  offsets.set(offset.at.subarray(0, count));
  offsets.set(otherOffsets.at.subarray(0, otherCount), count);
  return offsets.sort();
}

/** The smallest offset larger than `offset`, or Infinity. */
function offsetBehind(offsets: Float64Array, offset: number): number {
  let low = 0;
  let high = offsets.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((offsets[middle] as number) <= offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return offsets[low] ?? Number.POSITIVE_INFINITY;
}
