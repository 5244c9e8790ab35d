// SPDX-License-Identifier: GPL-3.0-or-later

/** Compressed streams for tests: what the programs gzip and zstd write, and what they never would. */

import { spawnSync } from 'node:child_process';
import { crc32 } from 'node:zlib';

export interface Outcome {
  readonly bytes: Buffer;
  /** What went wrong; empty if nothing did. */
  readonly error: string;
}

/** What a program makes of its input. */
function through(program: string, args: readonly string[], input: Uint8Array): Outcome {
  const { status, error, stdout, stderr } = spawnSync(program, args, { input, maxBuffer: 2 ** 30 });
  if (error && status === null) throw error; // it may end before it has read all
  const isFine = status === 0 || (program === 'gzip' && status === 2); // 2 is a warning
  return { bytes: stdout, error: isFine ? '' : `${program} ended with ${status}: ${stderr.toString()}` };
}

function must({ bytes, error }: Outcome): Buffer {
  if (error !== '') throw new Error(error);
  return bytes;
}

export function gzip(content: Uint8Array, ...options: string[]): Buffer {
  return must(through('gzip', ['-c', ...options], content));
}

export function zstd(content: Uint8Array, ...options: string[]): Buffer {
  return must(through('zstd', ['-q', '-c', '--no-progress', ...options], content));
}

/** What the programs make of a stream. */
export function expected(form: 'gzip' | 'zstd', stream: Uint8Array): Outcome {
  return through(form, form === 'gzip' ? ['-dc'] : ['-q', '-dc', '--long=31'], stream);
}

const flags = { headerCrc: 2, extra: 4, name: 8, comment: 16 };

/** A gzip member with each field that a header may have (RFC 1952). */
export function gzipWithAllFields(content: Uint8Array): Buffer {
  const plain = gzip(content, '-n');
  const head = Buffer.from(plain.subarray(0, 10));
  head[3] = flags.headerCrc | flags.extra | flags.name | flags.comment;
  const extra = Buffer.from('\x08\0SG\x04\0more', 'latin1');
  const fields = Buffer.concat([head, extra, Buffer.from('a name\0a comment\0')]);
  const check = Buffer.alloc(2);
  check.writeUInt16LE(crc32(fields) & 0xffff);
  return Buffer.concat([fields, check, plain.subarray(10)]);
}

/** A skippable frame of zstd (RFC 8878, 3.1.2); `kind`, 0 to 15, is its magic number's last digit. */
export function skippable(content: Uint8Array, kind = 0): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a50 + kind);
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content]);
}

/**
 * A frame of raw blocks, and blocks of one byte that repeats, that states no size: { run } stands for bytes of 'r'.
 * `windowLog` is 10 or more; a `dictionary` has a number below 256.
 */
export function handMade(
  blocks: readonly (Uint8Array | { readonly run: number })[],
  { windowLog = 17, dictionary }: { windowLog?: number; dictionary?: number } = {},
): Buffer {
  const descriptor = dictionary === undefined ? 0 : 1;
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, descriptor, (windowLog - 10) << 3]);
  const parts: Uint8Array[] = [head, Buffer.from(dictionary === undefined ? [] : [dictionary])];
  blocks.forEach((block, index) => {
    const [type, size, bytes] =
      block instanceof Uint8Array ? [0, block.length, block] : [1, block.run, Buffer.from('r')];
    const last = index === blocks.length - 1 ? 1 : 0;
    const blockHead = Buffer.alloc(3);
    blockHead.writeUIntLE((size << 3) | (type << 1) | last, 0, 3);
    parts.push(blockHead, bytes);
  });
  return Buffer.concat(parts);
}
