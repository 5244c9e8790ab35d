// SPDX-License-Identifier: GPL-3.0-or-later

/** Reads a whole layer the plain way, with zlib alone: what tests hold the converter against. */

import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

export interface LayerEntry {
  readonly name: string;
  readonly type: string;
  readonly size?: number;
  readonly modtime?: string;
  readonly linkName?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly userName?: string;
  readonly groupName?: string;
  readonly offset?: number;
  readonly innerOffset?: number;
  readonly chunkOffset?: number;
  readonly chunkSize?: number;
  readonly digest?: string;
  readonly chunkDigest?: string;
  readonly xattrs?: Readonly<Record<string, string>>;
}

export interface Layer {
  readonly blob: Buffer;
  readonly tocOffset: number;
  readonly tocDigest: string;
  readonly entries: readonly LayerEntry[];
}

const blockSize = 512;
/** Bytes of the longer of the two forms; the other one ends the same way. */
const FOOTER = 51;

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Takes a layer with a footer of either form apart. */
export function readLayer(path: string): Layer {
  const blob = readFileSync(path);
  const tocOffset = tocOffsetOf(blob, path);
  return { blob, ...parseToc(blob.subarray(tocOffset), tocOffset, path) };
}

/** The same without the blob, which may be larger than memory. */
export function readToc(path: string): Omit<Layer, 'blob'> {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    const bytes = (from: number): Buffer => {
      const part = Buffer.alloc(size - from);
      readSync(fd, part, 0, part.length, from);
      return part;
    };
    const tocOffset = tocOffsetOf(bytes(size - FOOTER), path);
    return parseToc(bytes(tocOffset), tocOffset, path);
  } finally {
    closeSync(fd);
  }
}

/** `end`: bytes that the layer ends with. */
function tocOffsetOf(end: Buffer, path: string): number {
  const tail = end.toString('hex', end.length - FOOTER);
  const digits = /1f8b08040000000000ff(?:1600|1a0053471600)([0-9a-f]{32})53544152475a010000ffff0{16}$/.exec(tail);
  if (!digits) throw new Error(`${path} has no footer`);
  return Number.parseInt(Buffer.from(digits[1] ?? '', 'hex').toString('latin1'), 16);
}

function parseToc(compressed: Buffer, tocOffset: number, path: string): Omit<Layer, 'blob'> {
  const tar = gunzipSync(compressed);
  if (tar.toString('latin1', 0, 18) !== 'stargz.index.json\0') throw new Error(`${path} has no TOC`);
  const size = Number.parseInt(tar.toString('latin1', 124, 135), 8);
  const json = tar.subarray(blockSize, blockSize + size);
  const toc = JSON.parse(json.toString()) as { version: number; entries: LayerEntry[] };
  if (toc.version !== 1) throw new Error(`${path} has a TOC of version ${toc.version}`);
  return { tocOffset, tocDigest: sha256(json), entries: toc.entries };
}

/** What a plain gunzip makes of the layer. */
export function gunzipLayer(layer: Layer): Buffer {
  return gunzipSync(layer.blob);
}

/**
 * Inflates every chunk from its own member, as a lazy reader does, and checks its digest and its file's. Returns what is
 * wrong, a line each.
 */
export function checkChunks({ blob, tocOffset, entries }: Layer): string[] {
  const wrong: string[] = [];
  const starts = [...new Set(entries.filter(hasChunk).map(({ offset }) => offset ?? 0)), tocOffset].sort(
    (a, b) => a - b,
  );
  for (let index = 0; index < entries.length; index++) {
    const file = entries[index];
    if (file?.type !== 'reg') continue;
    const last = entries.findIndex(({ type }, at) => at > index && type !== 'chunk');
    const chunks = entries.slice(index, last < 0 ? undefined : last).filter(hasChunk);
    const parts = chunks.map((chunk) => {
      const start = chunk.offset ?? 0;
      const end = starts.find((offset) => offset > start);
      const chunkSize = chunk.chunkSize ?? (file.size ?? 0) - (chunk.chunkOffset ?? 0);
      const inner = chunk.innerOffset ?? 0;
      const part = gunzipSync(blob.subarray(start, end)).subarray(inner, inner + chunkSize);
      if (chunk.chunkDigest && sha256(part) !== chunk.chunkDigest)
        wrong.push(`${file.name} at ${chunk.chunkOffset ?? 0}`);
      return part;
    });
    const content = Buffer.concat(parts);
    if (content.length !== (file.size ?? 0)) wrong.push(`${file.name} has ${content.length} bytes, not ${file.size}`);
    if (sha256(content) !== file.digest) wrong.push(`${file.name} has another digest`);
  }
  return wrong;
}

function hasChunk({ type, size }: LayerEntry): boolean {
  return type === 'chunk' || (type === 'reg' && (size ?? 0) > 0);
}
