// SPDX-License-Identifier: GPL-3.0-or-later

/** One entry of a TOC, its fields checked one by one. eStargz specification, "TOCEntry". */

import { addon } from '../../native/addon.js';
import { LayerFault, namingEntry, quote } from './fault.js';
import { nameLength } from './name-bytes.js';
import { cleanPath } from './names.js';
import { parseTime, type Time } from './time.js';

const TYPES = ['dir', 'reg', 'symlink', 'hardlink', 'char', 'block', 'fifo', 'chunk'] as const;
export type EntryType = (typeof TYPES)[number];

const { nameLimit, pathLimit } = addon.layout.constants;
const ID_LIMIT = 2 ** 32 - 2; // -1 means "no id" to chown
const MAJOR_LIMIT = 2 ** 12 - 1; // of Linux
const MINOR_LIMIT = 2 ** 20 - 1;
const XATTR_LIMIT = 65536; // XATTR_SIZE_MAX of Linux

export interface Xattr {
  readonly name: string;
  readonly value: Uint8Array;
}

export interface Entry {
  readonly type: EntryType;
  /** Cleaned; '' is the root, and a chunk's, which belongs to the file before it. */
  readonly path: string;
  /** Permission bits, with setuid, setgid and sticky; nothing of the type. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modtime: Time;
  /** A symlink's target as it is, or a hardlink's, cleaned. */
  readonly link: string;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly xattrs: readonly Xattr[];
  readonly size: number;
  /** The whole file's sha256, 64 hex digits; '' if the TOC tells none. */
  readonly digest: string;
  readonly offset: number;
  readonly innerOffset: number;
  readonly chunkOffset: number;
  /** 0: up to the end of the file. */
  readonly chunkSize: number;
  /** As `digest`, of this chunk's content. */
  readonly chunkDigest: string;
}

type Fields = Readonly<Record<string, unknown>>;

const EPOCH: Time = { seconds: 0, nanoseconds: 0 };
const NONE: readonly Xattr[] = [];

function text(fields: Fields, field: string): string {
  const value = fields[field] ?? '';
  if (typeof value !== 'string') {
    throw new LayerFault(`${field} is ${quote(value)}, not a text`);
  }
  return value;
}

function integer(fields: Fields, field: string, limit = Number.MAX_SAFE_INTEGER): number {
  const value = fields[field] ?? 0;
  if (value === 0) {
    return 0;
  }
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > limit) {
    throw new LayerFault(`${field} is ${quote(value)}, not an integer from 0 to ${limit}`);
  }
  return value;
}

const DIGEST_PREFIX = 'sha256:';
const DIGEST_LENGTH = DIGEST_PREFIX.length + 64;

function isDigest(value: string): boolean {
  if (value.length !== DIGEST_LENGTH || !value.startsWith(DIGEST_PREFIX)) {
    return false;
  }
  for (let i = DIGEST_PREFIX.length; i < DIGEST_LENGTH; i++) {
    const c = value.charCodeAt(i);
    if (c < 0x30 || (c > 0x39 && c < 0x61) || c > 0x66) {
      return false; // neither 0-9 nor a-f
    }
  }
  return true;
}

function digest(fields: Fields, field: string): string {
  const value = text(fields, field);
  if (value === '') {
    return '';
  }
  if (!isDigest(value)) {
    throw new LayerFault(`${field} is ${quote(value)}, not sha256: and 64 hex digits`);
  }
  return value.slice(DIGEST_PREFIX.length);
}

function modtime(fields: Fields): Time {
  const value = text(fields, 'modtime');
  if (value === '') {
    return EPOCH;
  }
  const time = parseTime(value);
  if (time === null) {
    throw new LayerFault(`modtime is ${quote(value)}, not an RFC 3339 time`);
  }
  return time;
}

/** What keeps an extended attribute with a value of `size` bytes off every file system; undefined if nothing does. */
export function xattrFault(name: string, size: number): string | undefined {
  const length = nameLength(name);
  if (length === 0 || length > nameLimit || name.includes('\0')) {
    return `xattr ${quote(name)} has a name that is empty, holds a NUL or is over ${nameLimit} bytes`;
  }
  return size > XATTR_LIMIT ? `xattr ${quote(name)} has ${size} bytes, more than ${XATTR_LIMIT}` : undefined;
}

function xattrs(fields: Fields): readonly Xattr[] {
  const value = fields['xattrs'] ?? null;
  if (value === null) {
    return NONE;
  }
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new LayerFault('xattrs is no object');
  }
  return Object.entries(value).map(([name, base64]) => {
    const bytes = Buffer.from(typeof base64 === 'string' ? base64 : '', 'base64');
    if (bytes.toString('base64') !== base64) {
      throw new LayerFault(`xattr ${quote(name)} is not padded standard base64`);
    }
    const fault = xattrFault(name, bytes.length);
    if (fault !== undefined) throw new LayerFault(fault);
    return { name, value: bytes };
  });
}

function link(fields: Fields, type: EntryType): string {
  const value = type === 'symlink' || type === 'hardlink' ? text(fields, 'linkName') : '';
  if (type === 'hardlink') {
    return cleanPath(value, `linkName ${quote(value)}`);
  }
  if (type === 'symlink' && (value === '' || value.includes('\0') || nameLength(value) > pathLimit)) {
    throw new LayerFault(`linkName is ${quote(value)}, is empty, holds a NUL or is over ${pathLimit} bytes`);
  }
  return value;
}

function checkFields(fields: Fields, name: string): Entry {
  const type = text(fields, 'type') as EntryType;
  if (!TYPES.includes(type)) {
    throw new LayerFault(`type is ${quote(type)}, not one of ${TYPES.join(', ')}`);
  }
  if (name === '' && type !== 'chunk') {
    throw new LayerFault('has no name');
  }
  const whole = digest(fields, 'digest');
  return {
    type,
    path: type === 'chunk' ? '' : cleanPath(name),
    mode: integer(fields, 'mode') & 0o7777,
    uid: integer(fields, 'uid', ID_LIMIT),
    gid: integer(fields, 'gid', ID_LIMIT),
    modtime: modtime(fields),
    link: link(fields, type),
    devMajor: integer(fields, 'devMajor', MAJOR_LIMIT),
    devMinor: integer(fields, 'devMinor', MINOR_LIMIT),
    xattrs: xattrs(fields),
    size: integer(fields, 'size'),
    digest: whole,
    offset: integer(fields, 'offset'),
    innerOffset: integer(fields, 'innerOffset'),
    chunkOffset: integer(fields, 'chunkOffset'),
    chunkSize: integer(fields, 'chunkSize'),
    chunkDigest: fields['chunkDigest'] === fields['digest'] ? whole : digest(fields, 'chunkDigest'),
  };
}

/** Checks the value of one element of `entries`. Throws LayerFault that names the entry and the field. */
export function readEntry(value: unknown): Entry {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new LayerFault('TOC: an entry is no object');
  }
  const fields = value as Fields;
  const name = text(fields, 'name');
  return namingEntry(name, () => checkFields(fields, name));
}
