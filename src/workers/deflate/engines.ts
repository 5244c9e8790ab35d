// SPDX-License-Identifier: GPL-3.0-or-later

import { gzipSync } from 'node:zlib';
import { gzip as pakoGzip } from 'pako';
import { addon } from '../../native/addon.js';
import type { Compressor } from './task.js';

/** Writes `input` as one gzip member, or zstd frame, to the front of `output`, which has room for it. Returns the bytes written. */
export type Engine = (input: Uint8Array, output: Uint8Array, level: number) => number;

const osUnknown = 255;

/** Gzip members of the engines differ in length, never in content; none holds a time or a name. libzstd writes frames. */
export const engines: Readonly<Record<Compressor, Engine>> = {
  libdeflate: (input, output, level) => written('libdeflate', input, addon.deflate(input, output, level)),
  zlib: (input, output, level) => place(gzipSync(input, { level }), output),
  pako: (input, output, level) => place(pakoGzip(input, { level }), output),
  libzstd: (input, output, level) => written('libzstd', input, addon.zstd(input, output, level)),
};

/** Bytes that a member or frame of `length` bytes never exceeds, whichever the engine. */
export function memberBound(length: number): number {
  return Math.max(addon.deflateBound(length) + (length >> 9), addon.zstdBound(length));
}

function written(engine: Compressor, input: Uint8Array, bytes: number): number {
  if (bytes === 0) throw new Error(`${engine}: no room, or no memory, for ${input.length} bytes`);
  return bytes;
}

function place(member: Uint8Array, output: Uint8Array): number {
  output.set(member);
  output[9] = osUnknown; // zlib names the machine's system here
  return member.length;
}
