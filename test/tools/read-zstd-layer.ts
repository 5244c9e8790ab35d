// SPDX-License-Identifier: GPL-3.0-or-later

/** Reads layers in zstd:chunked for tests, by the program zstd, and with code of its own. */

import { readFileSync } from 'node:fs';
import { expected } from './compressed-stream.js';
import { type LayerEntry, sha256 } from './read-layer.js';

export interface ZstdEntry extends LayerEntry {
  readonly endOffset?: number;
  readonly chunkType?: string;
}

export interface ZstdLayer {
  readonly blob: Buffer;
  /** What the blob inflates to. */
  readonly tar: Buffer;
  readonly entries: readonly ZstdEntry[];
  /** The digest of tar-split, as the TOC has it. */
  readonly tarSplitDigest: string | undefined;
  /** An object for each line of tar-split; undefined if there is none. */
  readonly tarSplit: readonly SplitLine[] | undefined;
  /** Digests and positions as manifests write them, by the ends of their annotations' names. */
  readonly said: Readonly<Record<string, string>>;
}

/** A segment of the tar, or a file by its name. */
export interface SplitLine {
  readonly type: number;
  readonly name?: string;
  readonly size?: number;
  readonly payload: string | null;
  readonly position: number;
}

/** What a frame, or several, inflate to. */
export function unzstd(frames: Uint8Array): Buffer {
  const { bytes, error } = expected('zstd', frames);
  if (error !== '') throw new Error(error);
  return bytes;
}

export function readZstdLayer(path: string): ZstdLayer {
  const blob = readFileSync(path);
  const footer = blob.subarray(-72);
  if (footer.subarray(-8).toString() !== 'GNUlInUx') throw new Error('no footer');
  const [start = 0, packed = 0, raw = 0, type, splitStart = 0, splitPacked = 0, splitRaw = 0] = Array.from(
    { length: 7 },
    (_, n) => Number(footer.readBigUInt64LE(8 + 8 * n)),
  );
  const toc = blob.subarray(start, start + packed);
  const json = unzstd(toc);
  if (json.length !== raw) throw new Error(`the TOC has ${json.length} bytes, not ${raw}`);
  const { entries, tarSplitDigest } = JSON.parse(json.toString()) as Pick<ZstdLayer, 'entries' | 'tarSplitDigest'>;
  const said: Record<string, string> = {
    'manifest-checksum': sha256(toc),
    'manifest-position': [start, packed, raw, type].join(':'),
  };
  let tarSplit: SplitLine[] | undefined;
  if (splitStart > 0) {
    const split = blob.subarray(splitStart, splitStart + splitPacked);
    said['tarsplit-checksum'] = sha256(split);
    said['tarsplit-position'] = [splitStart, splitPacked, splitRaw].join(':');
    const text = unzstd(split);
    if (text.length !== splitRaw) throw new Error(`tar-split has ${text.length} bytes, not ${splitRaw}`);
    const lines = text.toString().trimEnd().split('\n');
    tarSplit = lines.map((line) => JSON.parse(line) as SplitLine);
  }
  return { blob, tar: unzstd(blob), entries, tarSplitDigest, tarSplit, said };
}

/** The chunks of each file, by its name; of several with one name, those of the last. */
export function chunksOf({ entries }: ZstdLayer): Map<string, ZstdEntry[]> {
  const chunks = new Map<string, ZstdEntry[]>();
  let last: ZstdEntry[] = [];
  for (const entry of entries) {
    if (entry.type === 'chunk') last.push(entry);
    else if (entry.type === 'reg') chunks.set(entry.name, (last = [entry]));
  }
  return chunks;
}

/** The tar that tar-split makes again, of files that `contentOf` reads. Throws where a file has another sum than is said. */
export function assembled(lines: readonly SplitLine[], contentOf: (name: string) => Buffer): Buffer {
  const parts = lines.map(({ type, name = '', size = 0, payload }) => {
    if (type === 2) return Buffer.from(payload ?? '', 'base64');
    if (size === 0) return Buffer.alloc(0);
    const content = contentOf(name);
    const sum = Buffer.alloc(8);
    sum.writeBigUInt64BE(crc64(content));
    if (sum.toString('base64') !== payload) throw new Error(`${name} has the sum ${sum.toString('base64')}`);
    return content;
  });
  return Buffer.concat(parts);
}

/** CRC-64 of ISO 3309, bit by bit. */
export function crc64(bytes: Uint8Array): bigint {
  const all = 0xffff_ffff_ffff_ffffn;
  let crc = all;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ ((crc & 1n) === 1n ? 0xd800_0000_0000_0000n : 0n);
  }
  return crc ^ all;
}
