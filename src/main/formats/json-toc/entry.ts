// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * One entry of a TOC in JSON, its fields checked one by one. eStargz specification, "TOCEntry"; zstd:chunked adds endOffset
 * and chunkType.
 */

import { addon } from '../../../native/addon.js';
import { hexOf, isDigest } from '../../blob/digest.js';
import {
  ENTRY_TYPES,
  type Entry,
  type EntryType,
  isSymlinkTarget,
  MAJOR_LIMIT,
  MINOR_LIMIT,
  NO_ID,
  type Time,
  type Xattr,
  xattrFault,
} from '../entry.js';
import { LayerFault, namingEntry, quote } from '../fault.js';
import { cleanPath } from '../names.js';
import { parseRfc3339 } from './time.js';

const { pathLimit } = addon.layout.constants;
const ID_LIMIT = NO_ID - 1;

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

function digest(fields: Fields, field: string): string {
  const value = text(fields, field);
  if (value === '') {
    return '';
  }
  if (!isDigest(value)) {
    throw new LayerFault(`${field} is ${quote(value)}, not sha256: and 64 hex digits`);
  }
  return hexOf(value);
}

function isZeros(fields: Fields): boolean {
  const value = text(fields, 'chunkType');
  if (value !== '' && value !== 'zeros') {
    throw new LayerFault(`chunkType is ${quote(value)}, neither empty nor zeros`);
  }
  return value === 'zeros';
}

function modtime(fields: Fields): Time {
  const value = text(fields, 'modtime');
  if (value === '') {
    return EPOCH;
  }
  const time = parseRfc3339(value);
  if (time === null) {
    throw new LayerFault(`modtime is ${quote(value)}, not an RFC 3339 time`);
  }
  return time;
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
    const bytes = xattrValue(name, base64);
    const fault = xattrFault(name, bytes.length);
    if (fault !== undefined) throw new LayerFault(fault);
    return { name, value: bytes };
  });
}

/** The bytes of an xattr, as Go's encoding/json reads them: null is nothing, line ends within base64 do not count. */
function xattrValue(name: string, value: unknown): Buffer {
  const base64 = typeof value === 'string' ? value.replace(/[\r\n]/g, '') : value === null ? '' : undefined;
  const bytes = Buffer.from(base64 ?? '', 'base64');
  if (bytes.toString('base64') !== base64) {
    throw new LayerFault(`xattr ${quote(name)} is not padded standard base64`);
  }
  return bytes;
}

function link(fields: Fields, type: EntryType): string {
  const value = type === 'symlink' || type === 'hardlink' ? text(fields, 'linkName') : '';
  if (type === 'hardlink') {
    return cleanPath(value, `linkName ${quote(value)}`);
  }
  if (type === 'symlink' && !isSymlinkTarget(value)) {
    throw new LayerFault(`linkName is ${quote(value)}, is empty, holds a NUL or is over ${pathLimit} bytes`);
  }
  return value;
}

function checkFields(fields: Fields, name: string): Entry {
  const type = text(fields, 'type') as EntryType;
  if (!ENTRY_TYPES.includes(type)) {
    throw new LayerFault(`type is ${quote(type)}, not one of ${ENTRY_TYPES.join(', ')}`);
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
    endOffset: integer(fields, 'endOffset'),
    innerOffset: integer(fields, 'innerOffset'),
    chunkOffset: integer(fields, 'chunkOffset'),
    chunkSize: integer(fields, 'chunkSize'),
    chunkDigest: fields['chunkDigest'] === fields['digest'] ? whole : digest(fields, 'chunkDigest'),
    isZeros: isZeros(fields),
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
