// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Which other files a program needs before its first instruction: its interpreter and libraries. Who starts a program
 * opens them one after the other, and each may be a round trip away.
 *
 * Source: System V ABI, "Object Files" and "Program Loading and Dynamic Linking"; 64-bit little-endian files only.
 */

import { readSync } from 'node:fs';

const HEADER = 64;
const PROGRAM_HEADER = 56;
const MOST_PROGRAM_HEADERS = 64;
const DYNAMIC_LIMIT = 16 << 10;
const NAME_LIMIT = 256;
const MOST_NAMES = 64;

const MAGIC = 0x464c457f;
const CLASS_64_LITTLE = 0x0102;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NEEDED = 1;
const DT_STRTAB = 5;

/** Debian's names of directories, by e_machine. */
const MULTIARCH: Readonly<Record<number, string>> = {
  21: 'powerpc64le-linux-gnu',
  62: 'x86_64-linux-gnu',
  183: 'aarch64-linux-gnu',
  243: 'riscv64-linux-gnu',
};

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/** What a program needs: names, and where to look for each, the likeliest first. */
export interface Needs {
  readonly names: readonly string[];
  readonly directories: readonly string[];
}

/** Where glibc's loader looks first. */
const LOADER_CACHE = 'ld.so.cache';

/** Of the file open on `fd`. Undefined if it is no program, or needs nothing; what makes no sense in it is passed over. */
export function needsOf(fd: number): Needs | undefined {
  const header = read(fd, 0, HEADER);
  if (header.length < HEADER || header.readUInt32LE(0) !== MAGIC || header.readUInt16LE(4) !== CLASS_64_LITTLE)
    return undefined;
  const segments = segmentsOf(fd, header);
  const names = [...interpreter(fd, segments), ...libraries(fd, segments)].map((name) => name.replace(/^.*\//, ''));
  if (names.length === 0) return undefined;
  names.push(LOADER_CACHE);
  const multiarch = MULTIARCH[header.readUInt16LE(18)];
  const bare = ['usr/lib64', 'usr/lib', 'lib64', 'lib', 'etc'];
  const directories = multiarch === undefined ? bare : [`usr/lib/${multiarch}`, `lib/${multiarch}`, ...bare];
  return { names, directories };
}

function segmentsOf(fd: number, header: Buffer): Segment[] {
  const count = Math.min(header.readUInt16LE(56), MOST_PROGRAM_HEADERS);
  const table = read(fd, Number(header.readBigUInt64LE(32)), count * PROGRAM_HEADER);
  return Array.from({ length: Math.floor(table.length / PROGRAM_HEADER) }, (_, n) => {
    const word = (at: number): number => Number(table.readBigUInt64LE(n * PROGRAM_HEADER + at));
    return { type: table.readUInt32LE(n * PROGRAM_HEADER), offset: word(8), address: word(16), size: word(32) };
  });
}

function* interpreter(fd: number, segments: readonly Segment[]): Generator<string> {
  const found = segments.find(({ type }) => type === PT_INTERP);
  if (found) yield* nameAt(fd, found.offset);
}

function* libraries(fd: number, segments: readonly Segment[]): Generator<string> {
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  if (dynamic === undefined) return;
  const table = read(fd, dynamic.offset, Math.min(dynamic.size, DYNAMIC_LIMIT));
  const needed: number[] = [];
  let strings = 0;
  for (let at = 0; at + 16 <= table.length; at += 16) {
    const value = Number(table.readBigUInt64LE(at + 8));
    const tag = table.readBigUInt64LE(at);
    if (tag === BigInt(DT_NEEDED) && needed.length < MOST_NAMES) needed.push(value);
    if (tag === BigInt(DT_STRTAB)) strings = value;
  }
  const home = segments.find((s) => s.type === PT_LOAD && strings >= s.address && strings < s.address + s.size);
  if (home) for (const name of needed) yield* nameAt(fd, strings - home.address + home.offset + name);
}

function* nameAt(fd: number, offset: number): Generator<string> {
  const bytes = read(fd, offset, NAME_LIMIT);
  const end = bytes.indexOf(0);
  if (end > 0) yield bytes.toString('latin1', 0, end);
}

/** As much of it as there is. */
function read(fd: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return Number.isSafeInteger(offset) && length > 0
    ? bytes.subarray(0, readSync(fd, bytes, 0, length, offset))
    : bytes.subarray(0, 0);
}
