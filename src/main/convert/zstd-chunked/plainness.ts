// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Whether a TOC says of an entry just what containers-storage reads in the tar's headers, by Go's archive/tar, and whether
 * no other entry has its name. It refuses an image where the two differ: such a layer has no tar-split, and is pulled as a
 * whole.
 */

import { isUtf8 } from 'node:buffer';
import { isBeyondTime } from '../../formats/json-toc/format-time.js';
import type { TarEntry } from '../../tar/entry.js';
import { type Header, typeFlagOf } from '../../tar/header.js';
import { parsePaxTime } from '../../tar/pax.js';
import type { Placed } from '../tar-placement.js';

/** The flags by which Go tells each type. */
const FLAGS: Readonly<Record<TarEntry['type'], string>> = {
  file: '0\0',
  hardlink: '1',
  symlink: '2',
  char: '3',
  block: '4',
  directory: '5\0',
  fifo: '6',
};
const SLASH = 0x2f;
const XATTR_PREFIX = 'SCHILY.xattr.';
/** The permissions, and the type, which some writers put beside them. */
const MODE_BITS = 0o177777;

/** Parts of a header block. */
const MAGIC = [257, 265] as const;
const GNU_MAGIC = 'ustar  \0';
/** Where GNU tar keeps times, and other things. */
const GNU_EXTRA = [345, 512] as const;
const STAR_TRAILER = [508, 512] as const;

export class Plainness {
  /** By node, 1 where an entry has landed. */
  #landed = new Uint8Array(1024);

  /** Takes the next entry of the tar: what a person is told of it if it is not plain. */
  whyNot(entry: TarEntry, placed: Placed, header: Header): string | undefined {
    if (this.#isAgain(placed)) return 'stands there twice';
    if (!isText(entry)) return 'is not UTF-8';
    return hasOtherType(entry) || hasOtherFields(entry, placed, header) ? 'has a header of an unusual kind' : undefined;
  }

  #isAgain({ node, replaces }: Placed): boolean {
    if (node < 0 || replaces || this.#landed[node] === 1) return true;
    if (node >= this.#landed.length) {
      const more = new Uint8Array(2 * (node + 1));
      more.set(this.#landed);
      this.#landed = more;
    }
    this.#landed[node] = 1;
    return false;
  }
}

/** Whether JSON can hold all names of an entry. */
function isText({ name, linkName, xattrs }: TarEntry): boolean {
  return isUtf8(name) && isUtf8(linkName) && [...xattrs.keys()].every((xattr) => xattr.isWellFormed());
}

function hasOtherType({ type, name, headers }: TarEntry): boolean {
  const kinds = headers.filter((_, index) => index % 2 === 0).map((block) => typeFlagOf(block)); // bodies are between them
  const flag = kinds.at(-1) ?? '';
  const isOldDirectory = flag === '\0' && name.at(-1) === SLASH;
  const isMixed = kinds.includes('x') && (kinds.includes('L') || kinds.includes('K'));
  return !FLAGS[type].includes(flag) || (type === 'file' && isOldDirectory) || isMixed || kinds.includes('X');
}

function hasOtherFields(entry: TarEntry, { fields }: Placed, header: Header): boolean {
  const { type, name, records, xattrs, headers } = entry;
  const isLink = type === 'hardlink' || type === 'symlink';
  const isDevice = type === 'char' || type === 'block';
  const block = Buffer.from(headers.at(-1) as Uint8Array);
  const isGnu = block.toString('latin1', ...MAGIC) === GNU_MAGIC;
  return (
    name.length === 0 ||
    (header.mode & ~MODE_BITS) !== 0 ||
    (type !== 'file' && (header.size !== 0 || records.has('size'))) ||
    (!isLink && (header.linkName.length > 0 || records.has('linkpath'))) ||
    (!isDevice && (header.devMajor !== 0 || header.devMinor !== 0)) ||
    fields['uid'] !== entry.uid ||
    fields['gid'] !== entry.gid ||
    Object.keys(fields['xattrs'] ?? {}).length !== xattrs.size ||
    ![...xattrs.keys()].every((xattr) => records.has(XATTR_PREFIX + xattr)) ||
    isBeyondTime(entry.mtime) ||
    ['atime', 'ctime'].some((keyword) => isBeyond(records.get(keyword))) ||
    (isGnu && block.subarray(...GNU_EXTRA).some((byte) => byte !== 0)) ||
    block.toString('latin1', ...STAR_TRAILER) === 'tar\0'
  );
}

function isBeyond(time: Buffer | undefined): boolean {
  return time !== undefined && time.length > 0 && isBeyondTime(parsePaxTime(time));
}
