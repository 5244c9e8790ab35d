// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Writes tar entries byte by byte: in PAX form, or with GNU's long names, base-256 numbers and sparse maps.
 * Tests need entries that no tool would write, and always the same bytes.
 */

import { closeSync, openSync, writeSync } from 'node:fs';

type Bytes = string | Uint8Array;

export interface TarEntry {
  readonly name: Bytes;
  /** The type flag of the header: '0' regular (the default), '1' hardlink, '2' symlink, '3' char, '4' block, '5' dir, '6' fifo. */
  readonly type?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly uname?: string;
  readonly gname?: string;
  /** Seconds since 1970, and nanoseconds to add. */
  readonly mtime?: number;
  readonly mtimeNsec?: number;
  readonly linkname?: Bytes;
  readonly devmajor?: number;
  readonly devminor?: number;
  readonly xattrs?: Readonly<Record<string, Bytes>>;
  readonly content?: Bytes;
  /** The file's real size, where `content` holds only the data at these [offset, length] pairs. */
  readonly sparse?: { readonly size: number; readonly map: readonly (readonly [number, number])[] };
}

export type TarForm = 'pax' | 'gnu';

const block = 512;

/** The bytes of one entry: extended headers, header, content and padding. */
export function tarEntry(entry: TarEntry, form: TarForm = 'pax'): Buffer {
  return form === 'pax' ? paxEntry(entry) : gnuEntry(entry);
}

/** The header of a regular file of any size, whose content, and the padding of that, follow. */
export function fileHeader(name: string, size: number): Buffer {
  return header({ name }, '0', size, 'gnu');
}

/** The two zero blocks that end a tar. */
export const tarEnd = Buffer.alloc(2 * block);

/** Writes a tar of these entries. In GNU's form, what its headers cannot hold is left out: xattrs and nanoseconds. */
export function writeTar(path: string, entries: Iterable<TarEntry>, form: TarForm = 'pax'): void {
  const file = openSync(path, 'w');
  try {
    for (const entry of entries) {
      const { xattrs: _xattrs, mtimeNsec: _mtimeNsec, ...plain } = entry;
      writeSync(file, tarEntry(form === 'pax' ? entry : plain, form));
    }
    writeSync(file, tarEnd);
  } finally {
    closeSync(file);
  }
}

function paxEntry(entry: TarEntry): Buffer {
  const records: Buffer[] = [];
  const name = bytes(entry.name);
  const link = bytes(entry.linkname ?? '');
  let content = bytes(entry.content ?? '');
  if (entry.sparse) {
    const pairs = entry.sparse.map.flat();
    const map = bytes([entry.sparse.map.length, ...pairs].map((value) => `${value}\n`).join(''));
    records.push(record('GNU.sparse.major', '1'), record('GNU.sparse.minor', '0'));
    records.push(record('GNU.sparse.name', name), record('GNU.sparse.realsize', String(entry.sparse.size)));
    content = Buffer.concat([padded(map), content]);
  } else if (name.length > 100 || !isAscii(name)) {
    records.push(record('path', name));
  }
  if (link.length > 100 || !isAscii(link)) records.push(record('linkpath', link));
  for (const key of ['uid', 'gid'] as const) {
    const value = entry[key] ?? 0;
    if (value > 0o7777777) records.push(record(key, String(value)));
  }
  const mtime = entry.mtime ?? 0;
  if (mtime < 0 || mtime > 0o77777777777 || entry.mtimeNsec) records.push(record('mtime', decimalTime(entry)));
  for (const [key, value] of Object.entries(entry.xattrs ?? {})) records.push(record(`SCHILY.xattr.${key}`, value));

  const parts: Buffer[] = [];
  if (records.length > 0) {
    const pax = Buffer.concat(records);
    parts.push(header({ name: 'PaxHeaders/x' }, 'x', pax.length), padded(pax));
  }
  const clamped = {
    ...entry,
    name: entry.sparse ? 'GNUSparseFile.0/x' : name,
    mtime: Math.min(Math.max(mtime, 0), 0o77777777777),
    uid: Math.min(entry.uid ?? 0, 0o7777777),
    gid: Math.min(entry.gid ?? 0, 0o7777777),
  };
  parts.push(header(clamped, entry.type ?? '0', content.length), padded(content));
  return Buffer.concat(parts);
}

function gnuEntry(entry: TarEntry): Buffer {
  if (entry.xattrs || entry.mtimeNsec) throw new Error('GNU headers hold no xattrs and no nanoseconds');
  const parts: Buffer[] = [];
  for (const [flag, value] of [
    ['L', bytes(entry.name)],
    ['K', bytes(entry.linkname ?? '')],
  ] as const) {
    if (value.length <= 100) continue;
    parts.push(
      header({ name: '././@LongLink' }, flag, value.length + 1, 'gnu'),
      padded(Buffer.concat([value, Buffer.of(0)])),
    );
  }
  const content = bytes(entry.content ?? '');
  const main = header(entry, entry.sparse ? 'S' : (entry.type ?? '0'), content.length, 'gnu');
  parts.push(main);
  if (entry.sparse) parts.push(...gnuSparse(main, entry.sparse));
  parts.push(padded(content));
  return Buffer.concat(parts);
}

/** Puts four pairs of the map into the header, the others into the extension blocks that it returns. */
function gnuSparse(main: Buffer, sparse: NonNullable<TarEntry['sparse']>): Buffer[] {
  const write = (at: Buffer, offset: number, pairs: readonly (readonly [number, number])[]): void => {
    for (const [index, [start, length]] of pairs.entries()) {
      number(at, offset + index * 24, 12, start);
      number(at, offset + index * 24 + 12, 12, length);
    }
  };
  write(main, 386, sparse.map.slice(0, 4));
  number(main, 483, 12, sparse.size);
  main[482] = sparse.map.length > 4 ? 1 : 0;
  checksum(main);
  const blocks: Buffer[] = [];
  for (let first = 4; first < sparse.map.length; first += 21) {
    const extension = Buffer.alloc(block);
    write(extension, 0, sparse.map.slice(first, first + 21));
    extension[504] = sparse.map.length > first + 21 ? 1 : 0;
    blocks.push(extension);
  }
  return blocks;
}

function header(entry: TarEntry, type: string, size: number, form: TarForm = 'pax'): Buffer {
  const out = Buffer.alloc(block);
  bytes(entry.name).copy(out, 0, 0, 100);
  number(out, 100, 8, entry.mode ?? 0o644);
  number(out, 108, 8, entry.uid ?? 0);
  number(out, 116, 8, entry.gid ?? 0);
  number(out, 124, 12, size);
  number(out, 136, 12, entry.mtime ?? 0);
  out.write(type, 156, 'latin1');
  bytes(entry.linkname ?? '').copy(out, 157, 0, 100);
  out.write(form === 'pax' ? 'ustar\x0000' : 'ustar  \0', 257, 'latin1');
  out.write(entry.uname ?? '', 265, 32);
  out.write(entry.gname ?? '', 297, 32);
  if (type === '3' || type === '4') {
    number(out, 329, 8, entry.devmajor ?? 0);
    number(out, 337, 8, entry.devminor ?? 0);
  }
  checksum(out);
  return out;
}

function checksum(at: Buffer): void {
  at.fill(' ', 148, 156);
  const sum = at.reduce((total, byte) => total + byte, 0);
  at.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

/** Octal where it fits and base-256 (two's complement, the first bit set) where not. */
function number(at: Buffer, offset: number, length: number, value: number): void {
  if (value >= 0 && value < 8 ** (length - 1)) {
    at.write(value.toString(8).padStart(length - 1, '0'), offset, 'latin1');
    return;
  }
  let rest = BigInt(value);
  for (let index = offset + length - 1; index >= offset; index--) {
    at[index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  at[offset] = (at[offset] ?? 0) | 0x80;
}

/** A PAX record; its length counts its own digits. */
function record(key: string, value: Bytes): Buffer {
  const rest = Buffer.concat([bytes(` ${key}=`), bytes(value), bytes('\n')]);
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([bytes(String(length)), rest]);
}

function decimalTime(entry: TarEntry): string {
  const total = BigInt(entry.mtime ?? 0) * 1_000_000_000n + BigInt(entry.mtimeNsec ?? 0);
  const positive = total < 0n ? -total : total;
  const fraction = String(positive % 1_000_000_000n).padStart(9, '0');
  return `${total < 0n ? '-' : ''}${positive / 1_000_000_000n}.${fraction}`;
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc(-content.length & (block - 1))]);
}

function isAscii(value: Buffer): boolean {
  return value.every((byte) => byte < 0x80);
}

function bytes(value: Bytes): Buffer {
  return typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
