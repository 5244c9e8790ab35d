// SPDX-License-Identifier: GPL-3.0-or-later

/** The 512-byte header of a tar entry: POSIX pax(1) "ustar Interchange Format", and GNU tar's additions. */

import { LayerFault, namingEntry, quote } from '../formats/fault.js';
import { nameOfBytes } from '../formats/name-bytes.js';

export const BLOCK_SIZE = 512;

/** Offset and length of each field, in bytes. */
const NAME = [0, 100] as const;
const MODE = [100, 8] as const;
const UID = [108, 8] as const;
const GID = [116, 8] as const;
const SIZE = [124, 12] as const;
const MTIME = [136, 12] as const;
const CHECKSUM = [148, 8] as const;
const TYPE_FLAG = [156, 1] as const;
const LINK_NAME = [157, 100] as const;
const MAGIC = [257, 8] as const; // with the version
const USER_NAME = [265, 32] as const;
const GROUP_NAME = [297, 32] as const;
const DEV_MAJOR = [329, 8] as const;
const DEV_MINOR = [337, 8] as const;
/** The path's first part; GNU tar keeps other things from here to the end. */
const PREFIX = [345, 155] as const;

type Field = readonly [offset: number, length: number];

export interface Header {
  /** Names are bytes: nothing says that they are UTF-8. */
  readonly name: Buffer;
  /** As it is written: some writers have the type in it, too. */
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

const ZERO_BLOCK = Buffer.alloc(BLOCK_SIZE);
const USTAR_MAGIC = 'ustar\0';
const USTAR_VERSION = '00';
const GNU_MAGIC = 'ustar  \0';

/** Reads a header, whose names are parts of `bytes`; undefined for the block of zeros that ends a tar. Throws LayerFault for anything else. */
export function parseHeader(bytes: Uint8Array): Header | undefined {
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, BLOCK_SIZE);
  if (block[0] === 0 && block.equals(ZERO_BLOCK)) return undefined;
  if (!checksumHolds(block)) throw new LayerFault('not a tar, or a corrupt one: a header does not match its checksum');
  const name = text(block, NAME);
  const magic = magicOf(block);
  const extended = magic.startsWith(USTAR_MAGIC) || magic === GNU_MAGIC;
  const prefix = magic.startsWith(USTAR_MAGIC) ? text(block, PREFIX) : NOTHING;
  const fullName = prefix.length > 0 ? Buffer.concat([prefix, Buffer.from('/'), name]) : name;
  return namingEntry(nameOfBytes(fullName), () => ({
    name: fullName,
    mode: parseNumber(block, MODE, 'mode'),
    uid: parseNumber(block, UID, 'uid'),
    gid: parseNumber(block, GID, 'gid'),
    size: parseNumber(block, SIZE, 'size'),
    mtime: parseNumber(block, MTIME, 'mtime'),
    typeFlag: typeFlagOf(block),
    linkName: text(block, LINK_NAME),
    userName: extended ? text(block, USER_NAME).toString() : '',
    groupName: extended ? text(block, GROUP_NAME).toString() : '',
    devMajor: extended ? parseNumber(block, DEV_MAJOR, 'device number') : 0,
    devMinor: extended ? parseNumber(block, DEV_MINOR, 'device number') : 0,
  }));
}

/** A header of an entry of root's without permissions and time: of the TOC, a landmark, or an extended header. */
export function plainHeader(name: string, size: number, typeFlag = '0'): Buffer {
  const block = Buffer.alloc(BLOCK_SIZE);
  block.write(name, ...NAME);
  for (const field of [MODE, UID, GID, MTIME]) writeOctal(block, field, 0);
  return finishHeader(block, typeFlag, size);
}

/** The same header for an entry of another type and size; what GNU's headers hold of sparse files goes. */
export function changedHeader(bytes: Uint8Array, typeFlag: string, size: number): Buffer {
  const block = Buffer.from(bytes);
  if (magicOf(block) === GNU_MAGIC) block.fill(0, PREFIX[0]);
  return finishHeader(block, typeFlag, size);
}

/** Sizes from here on do not fit into a header's octal digits: they stand in a PAX record. */
export const OCTAL_SIZE_LIMIT = 8 ** 11;

/** The zeros that fill the last block of `size` bytes. */
export function padding(size: number): Uint8Array {
  return ZERO_BLOCK.subarray(0, paddingLength(size));
}

/** How many bytes fill the last block of `size` bytes. */
export function paddingLength(size: number): number {
  return (BLOCK_SIZE - (size % BLOCK_SIZE)) % BLOCK_SIZE;
}

/** The flag that tells an entry's type, one character. */
export function typeFlagOf(bytes: Uint8Array): string {
  return String.fromCharCode(bytes[TYPE_FLAG[0]] ?? 0);
}

function magicOf(block: Buffer): string {
  const [at, length] = MAGIC;
  return block.toString('latin1', at, at + length);
}

/** A number as GNU tar writes it: octal digits, or base-256 where the first bit is set. `what` names it. Throws LayerFault. */
export function parseNumber(block: Buffer, [at, length]: Field, what: string): number {
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
  const [checksumAt, checksumLength] = CHECKSUM;
  writeOctal(block, SIZE, size < OCTAL_SIZE_LIMIT ? size : 0);
  block.write(typeFlag, ...TYPE_FLAG, 'latin1');
  block.write(USTAR_MAGIC + USTAR_VERSION, ...MAGIC, 'latin1');
  block.fill(' ', checksumAt, checksumAt + checksumLength);
  block.write(`${sum(block).toString(8).padStart(6, '0')}\0 `, checksumAt, 'latin1');
  return block;
}

function writeOctal(block: Buffer, [at, length]: Field, value: number): void {
  block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
}

/** Whether a block of BLOCK_SIZE bytes is a header, going by its checksum. */
export function isHeader(bytes: Uint8Array): boolean {
  return checksumHolds(Buffer.from(bytes.buffer, bytes.byteOffset, BLOCK_SIZE));
}

/** The sum of all bytes, the checksum's own counting as spaces; old tars summed signed bytes. */
function checksumHolds(block: Buffer): boolean {
  const [checksumAt, checksumLength] = CHECKSUM;
  const checksumEnd = checksumAt + checksumLength;
  const digits = /^[ \0]*([0-7]+)/.exec(block.toString('latin1', checksumAt, checksumEnd));
  if (!digits) return false;
  const wanted = Number.parseInt(digits[1] ?? '', 8);
  let unsigned = checksumLength * 0x20;
  let high = 0;
  for (let index = 0; index < BLOCK_SIZE; index++) {
    if (index === checksumAt) index = checksumEnd;
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

const NOTHING = Buffer.alloc(0);

/** The bytes of a field up to the first NUL: a view, not a copy. */
function text(block: Buffer, [at, length]: Field): Buffer {
  if (block[at] === 0) return NOTHING;
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return end < 0 ? field : field.subarray(0, end);
}
