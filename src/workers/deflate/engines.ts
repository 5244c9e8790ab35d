// SPDX-License-Identifier: GPL-3.0-or-later

import { gzipSync } from 'node:zlib';
import { gzip as pakoGzip } from 'pako';
import { addon } from '../../native/addon.js';
import type { EngineName } from '../engine-names.js';

/** Writes `input` as one gzip member to the front of `output`, which has room for it. Returns the bytes written. */
export type Engine = (input: Uint8Array, output: Uint8Array, level: number) => number;

const osUnknown = 255;

/** Gzip members of the engines differ in length, never in content; none holds a time or a name. */
export const engines: Readonly<Record<EngineName, Engine>> = {
  libdeflate: (input, output, level) => {
    const written = addon.deflate(input, output, level);
    if (written === 0)
      throw new Error(`libdeflate: no room, or no memory, for ${input.length} bytes at level ${level}`);
    return written;
  },
  zlib: (input, output, level) => place(gzipSync(input, { level }), output),
  pako: (input, output, level) => place(pakoGzip(input, { level }), output),
};

/** Bytes that a member of `length` bytes never exceeds, whichever the engine. */
export function memberBound(length: number): number {
  return addon.deflateBound(length) + (length >> 9);
}

function place(member: Uint8Array, output: Uint8Array): number {
  output.set(member);
  output[9] = osUnknown; // zlib names the machine's system here
  return member.length;
}
