// SPDX-License-Identifier: GPL-3.0-or-later

/** What the headers of one entry say together. */

import type { EntryType, Time } from '../formats/entry.js';
import { LayerFault, quote } from '../formats/fault.js';
import { changedHeader, type Header, OCTAL_SIZE_LIMIT, typeFlagOf } from './header.js';
import { type PaxRecord, type PaxRecords, parseDecimal, parsePaxTime, paxHeader, xattrName } from './pax.js';

export interface TarEntry {
  /** Where its first header starts in the tar. */
  readonly start: number;
  /** The header blocks before the content: the tar's own, or others of the same meaning that need no sparse map. */
  readonly headers: readonly Uint8Array[];
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo';
  readonly name: Buffer;
  readonly linkName: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly userName: string;
  readonly groupName: string;
  /** Bytes of content, the holes of a sparse file counted; 0 for all but files. */
  readonly size: number;
  readonly mtime: Time;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly xattrs: PaxRecords;
  /** All PAX records that hold for it. */
  readonly records: PaxRecords;
}

/** What layers call the types of entries. */
export const ENTRY_TYPE: Readonly<Record<TarEntry['type'], Exclude<EntryType, 'chunk'>>> = {
  file: 'reg',
  directory: 'dir',
  symlink: 'symlink',
  hardlink: 'hardlink',
  char: 'char',
  block: 'block',
  fifo: 'fifo',
};

/** The types that flags stand for. */
const TYPES: Readonly<Record<string, TarEntry['type']>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
  '7': 'file',
  D: 'directory', // with a list of what it holds, which says nothing new
  S: 'file',
};

/** The flag to write for types that several flags stand for; every other type keeps its flag. */
const TYPE_FLAGS: Partial<Record<TarEntry['type'], string>> = { file: '0', directory: '5' };

const ID_LIMIT = 2 ** 32;
const XATTR_PREFIX = 'SCHILY.xattr.';
const SLASH = 0x2f;

/** The headers that precede an entry's own. */
export interface Extensions {
  readonly raw: Uint8Array[];
  /** Of the last PAX header before the entry: another one replaces it, as with GNU tar. */
  records: readonly PaxRecord[];
  longName?: Buffer;
  longLink?: Buffer;
}

/** An entry before its content is looked at. */
export interface Described extends Omit<TarEntry, 'start' | 'headers' | 'size'> {
  /** Bytes of content in the tar; 0 for all but files, whatever their headers say, and GNU tar's lists of directories. */
  readonly stored: number;
}

/** Puts together what a header, the headers before it and the global ones say. Throws LayerFault. */
export function describe(header: Header, extensions: Extensions, globals: PaxRecords): Described {
  const records = merged(globals, extensions.records);
  const value = (keyword: string): Buffer | undefined => {
    const found = records.get(keyword);
    return found && found.length > 0 ? found : undefined;
  };
  const decimal = (keyword: string, otherwise: number): number => {
    const found = value(keyword);
    return found ? parseDecimal(found, keyword) : otherwise;
  };
  const name = value('GNU.sparse.name') ?? value('path') ?? extensions.longName ?? header.name;
  const linkName = value('linkpath') ?? extensions.longLink ?? header.linkName;
  const type = typeOf(header, name);
  const isDevice = type === 'char' || type === 'block';
  const mtime = value('mtime');
  const stored = type === 'file' || header.typeFlag === 'D' ? decimal('size', header.size) : 0;
  if (stored < 0) throw new LayerFault(`${quote(name.toString())} has a size of ${stored}`);
  return {
    records,
    stored,
    type,
    name,
    linkName: type === 'symlink' || type === 'hardlink' ? linkName : Buffer.alloc(0),
    mode: header.mode & 0o7777,
    uid: checkedId(decimal('uid', header.uid), name),
    gid: checkedId(decimal('gid', header.gid), name),
    userName: value('uname')?.toString() ?? header.userName,
    groupName: value('gname')?.toString() ?? header.groupName,
    mtime: mtime ? parsePaxTime(mtime) : { seconds: header.mtime, nanoseconds: 0 },
    devMajor: isDevice ? header.devMajor : 0,
    devMinor: isDevice ? header.devMinor : 0,
    xattrs: xattrsOf(records),
  };
}

/** Records on top of others: later ones replace earlier ones of the same keyword. Comments are left out. */
export function merged(before: PaxRecords, records: readonly PaxRecord[]): PaxRecords {
  if (records.length === 0) return before;
  return new Map([...before, ...records.filter(([keyword]) => keyword !== 'comment')]);
}

/**
 * Headers of the same meaning, for content of `size` bytes: an extended header of the entry's own, and the header `block`, changed.
 * They need no global header, no GNU long name and no sparse map.
 */
export function rewrittenHeaders(
  block: Uint8Array,
  entry: Pick<TarEntry, 'records' | 'name' | 'linkName' | 'type'>,
  size: number,
): Uint8Array[] {
  const { records, name, linkName, type } = entry;
  const kept = new Map([...records].filter(([keyword]) => !keyword.startsWith('GNU.sparse.') && keyword !== 'size'));
  kept.set('path', name);
  if (linkName.length > 0) kept.set('linkpath', linkName);
  if (size >= OCTAL_SIZE_LIMIT) kept.set('size', Buffer.from(String(size)));
  const typeFlag = TYPE_FLAGS[type] ?? typeFlagOf(block);
  return [...paxHeader(kept), changedHeader(block, typeFlag, size)];
}

/** The same entry with another name and link target, and headers that say so. */
export function renamed(entry: TarEntry, name: Buffer, linkName: Buffer): TarEntry {
  const changed = { ...entry, name, linkName };
  return { ...changed, headers: rewrittenHeaders(entry.headers.at(-1) as Uint8Array, changed, entry.size) };
}

function typeOf(header: Header, name: Buffer): TarEntry['type'] {
  const type = TYPES[header.typeFlag];
  if (!type) {
    throw new LayerFault(`${quote(name.toString())} is of a type that layers do not have: ${quote(header.typeFlag)}`);
  }
  // Before there was a type for directories, a slash told them.
  return type === 'file' && name.at(-1) === SLASH && header.size === 0 ? 'directory' : type;
}

function checkedId(id: number, name: Buffer): number {
  if (id >= 0 && id < ID_LIMIT) return id;
  throw new LayerFault(`${quote(name.toString())} has the owner ${id}, which is no 32-bit number`);
}

function xattrsOf(records: PaxRecords): PaxRecords {
  const xattrs = new Map<string, Buffer>();
  for (const [keyword, value] of records) {
    if (keyword.startsWith(XATTR_PREFIX)) xattrs.set(xattrName(keyword.slice(XATTR_PREFIX.length)), value);
  }
  return xattrs;
}
