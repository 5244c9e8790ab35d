// SPDX-License-Identifier: GPL-3.0-or-later

/** The 512-byte header of a tar entry: POSIX pax(1) "ustar Interchange Format", and GNU tar's additions. */

import { LayerFault, namingEntry, quote } from '../formats/fault.js';
import { nameOfBytes } from '../formats/name-bytes.js';

export const blockSize = 512;

export interface Header {
  /** Names are bytes: nothing says that they are UTF-8. */
  readonly name: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes that follow in the tar. */
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly typeFlag: string;
  readonly linkName: Buffer;
  readonly userName: string;
  readonly groupName: string;
  readonly devMajor: number;
  readonly devMinor: number;
}

const zeroBlock = Buffer.alloc(blockSize);
const magicAt = 257;
const ustarMagic = 'ustar\0';
const gnuMagic = 'ustar  \0';

/** Reads a header; undefined for the block of zeros that ends a tar. Throws LayerFault for anything else. */
export function parseHeader(bytes: Uint8Array): Header | undefined {
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, blockSize);
  if (block[0] === 0 && block.equals(zeroBlock)) return undefined;
  if (!checksumHolds(block)) throw new LayerFault('not a tar, or a corrupt one: a header does not match its checksum');
  const name = text(block, 0, 100);
  const magic = block.toString('latin1', magicAt, magicAt + 8);
  const extended = magic.startsWith(ustarMagic) || magic === gnuMagic;
  const prefix = magic.startsWith(ustarMagic) ? text(block, 345, 155) : zeroBlock.subarray(0, 0);
  const fullName = prefix.length > 0 ? Buffer.concat([prefix, Buffer.from('/'), name]) : Buffer.from(name);
  return namingEntry(nameOfBytes(fullName), () => ({
    name: fullName,
    mode: number(block, 100, 8, 'mode') & 0o7777,
    uid: number(block, 108, 8, 'uid'),
    gid: number(block, 116, 8, 'gid'),
    size: number(block, 124, 12, 'size'),
    mtime: number(block, 136, 12, 'mtime'),
    typeFlag: String.fromCharCode(block[156] ?? 0),
    linkName: Buffer.from(text(block, 157, 100)),
    userName: extended ? text(block, 265, 32).toString() : '',
    groupName: extended ? text(block, 297, 32).toString() : '',
    devMajor: extended ? number(block, 329, 8, 'device number') : 0,
    devMinor: extended ? number(block, 337, 8, 'device number') : 0,
  }));
}

/** A header of a regular file that is nobody's and has no time, as the TOC and the landmarks have it. */
export function plainHeader(name: string, size: number, typeFlag = '0'): Buffer {
  const block = Buffer.alloc(blockSize);
  block.write(name, 0, 100);
  for (const [at, length] of [
    [100, 8],
    [108, 8],
    [116, 8],
    [136, 12],
  ] as const) {
    writeOctal(block, at, length, 0);
  }
  return finishHeader(block, typeFlag, size);
}

/** The same header for an entry of another type and size; what GNU's headers hold of sparse files goes. */
export function changedHeader(bytes: Uint8Array, typeFlag: string, size: number): Buffer {
  const block = Buffer.from(bytes);
  if (block.toString('latin1', magicAt, magicAt + 8) === gnuMagic) block.fill(0, 345);
  return finishHeader(block, typeFlag, size);
}

/** Sizes that octal digits cannot hold stand in a PAX record. */
export const octalSizeLimit = 8 ** 11;

/** The zeros that fill the last block of `size` bytes. */
export function padding(size: number): Uint8Array {
  return zeroBlock.subarray(0, paddingLength(size));
}

export function paddingLength(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

/** A number as GNU tar writes it: octal digits, or base-256 where the first bit is set. Throws LayerFault. */
export function number(block: Buffer, at: number, length: number, what: string): number {
  const first = block[at] ?? 0;
  if ((first & 0x80) !== 0) {
    let value = BigInt.asIntN(8, BigInt(first << 1)) >> 1n; // the sign is in the second bit
    for (let index = at + 1; index < at + length; index++) value = (value << 8n) | BigInt(block[index] ?? 0);
    if (value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER) {
      throw new LayerFault(`a tar header holds a ${what} of ${value}, too large`);
    }
    return Number(value);
  }
  let value = 0;
  let index = at;
  const end = at + length;
  while (index < end && isBlank(block[index])) index++;
  for (; index < end && !isBlank(block[index]); index++) {
    const digit = (block[index] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) {
      throw new LayerFault(`a tar header holds ${quote(block.toString('latin1', at, end))} for a ${what}`);
    }
    value = value * 8 + digit;
  }
  return value;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0;
}

function finishHeader(block: Buffer, typeFlag: string, size: number): Buffer {
  writeOctal(block, 124, 12, size < octalSizeLimit ? size : 0);
  block.write(typeFlag, 156, 1, 'latin1');
  block.write(`${ustarMagic}00`, magicAt, 'latin1');
  block.fill(' ', 148, 156);
  block.write(`${sum(block).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function writeOctal(block: Buffer, at: number, length: number, value: number): void {
  block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
}

/** Whether a block of 512 bytes holds the checksum of a header. */
export function isHeader(bytes: Uint8Array): boolean {
  return checksumHolds(Buffer.from(bytes.buffer, bytes.byteOffset, blockSize));
}

/** The sum of all bytes, the checksum's own counting as spaces; old tars summed signed bytes. */
function checksumHolds(block: Buffer): boolean {
  const digits = /^[ \0]*([0-7]+)/.exec(block.toString('latin1', 148, 156));
  if (!digits) return false;
  const wanted = Number.parseInt(digits[1] ?? '', 8);
  let unsigned = 8 * 0x20;
  let high = 0;
  for (let index = 0; index < blockSize; index++) {
    if (index === 148) index = 156;
    const byte = block[index] ?? 0;
    unsigned += byte;
    high += byte >> 7;
  }
  return wanted === unsigned || wanted === unsigned - 256 * high;
}

function sum(block: Buffer): number {
  let total = 0;
  for (const byte of block) total += byte;
  return total;
}

/** The bytes of a field up to the first NUL: a view, not a copy. */
function text(block: Buffer, at: number, length: number): Buffer {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return end < 0 ? field : field.subarray(0, end);
}
