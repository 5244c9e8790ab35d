// SPDX-License-Identifier: GPL-3.0-or-later

/** The entries of a tar, with the digests of their content, made out of what is read of it. */

import { addon, type Sha256 } from '../../native/addon.js';
import {
  type Entry,
  isSymlinkTarget,
  MAJOR_LIMIT,
  MINOR_LIMIT,
  NO_ID,
  type Xattr,
  xattrFault,
} from '../formats/entry.js';
import { LayerFault, namingEntry } from '../formats/fault.js';
import { nameOfBytes } from '../formats/name-bytes.js';
import { cleanPath } from '../formats/names.js';
import { PLAIN_CHUNK_BYTES, type Places } from '../formats/points.js';
import { ENTRY_TYPE, type TarEntry } from '../tar/entry.js';
import { TarReader } from '../tar/reader.js';
import type { ContentSink, Part } from './content-sink.js';

/** Where a piece of a file is: in the file, and in the tar; undefined: nowhere, it is zeros. */
interface Piece {
  readonly fileOffset: number;
  readonly size: number;
  readonly tarOffset: number | undefined;
}

/** What takes in what is found in a tar. */
export interface Takers {
  /** Entries, each file's chunks behind it. */
  readonly add: (entry: Entry) => void;
  /** What files hold. */
  readonly sink: ContentSink;
}

/** Reads a tar. Throws LayerFault where it is none, or what no mount can show. */
export async function readTar(tar: AsyncIterable<Uint8Array>, places: Places, { add, sink }: Takers): Promise<void> {
  const reader = new TarReader(tar, undefined, true);
  const sha256 = new addon.Sha256();
  try {
    for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
      const facts = described(entry);
      if (entry.type !== 'file' || entry.size === 0) add(facts);
      else await addChunks(facts, { reader, places, sha256, add, sink });
    }
  } finally {
    await reader.close();
  }
}

function described(entry: TarEntry): Entry {
  const name = nameOfBytes(entry.name);
  return namingEntry(name, () => ({
    type: ENTRY_TYPE[entry.type],
    path: cleanPath(name),
    mode: entry.mode & 0o7777,
    uid: entry.uid === NO_ID ? 0 : entry.uid,
    gid: entry.gid === NO_ID ? 0 : entry.gid,
    modtime: entry.mtime,
    link: linkOf(entry),
    ...deviceOf(entry),
    xattrs: xattrsOf(entry),
    size: entry.size,
    digest: '',
    offset: 0,
    endOffset: 0,
    innerOffset: 0,
    chunkOffset: 0,
    chunkSize: 0,
    chunkDigest: '',
    isZeros: false,
  }));
}

function linkOf({ type, linkName }: TarEntry): string {
  const link = nameOfBytes(linkName);
  if (type === 'hardlink') return cleanPath(link, 'the name that it links to');
  const { pathLimit } = addon.layout.constants;
  if (type === 'symlink' && !isSymlinkTarget(link)) {
    throw new LayerFault(`the target of the symlink is empty, holds a NUL or is over ${pathLimit} bytes`);
  }
  return link;
}

function deviceOf({ devMajor, devMinor }: TarEntry): Pick<Entry, 'devMajor' | 'devMinor'> {
  const isSound = devMajor >= 0 && devMajor <= MAJOR_LIMIT && devMinor >= 0 && devMinor <= MINOR_LIMIT;
  if (!isSound) throw new LayerFault(`is the device ${devMajor}, ${devMinor}, which Linux does not have`);
  return { devMajor, devMinor };
}

/** Those that no file system takes are left out, as by whoever extracts the tar. */
function xattrsOf({ xattrs }: TarEntry): Xattr[] {
  const all = Array.from(xattrs, ([name, value]) => ({ name, value }));
  return all.filter(({ name, value }) => xattrFault(name, value.length) === undefined);
}

interface Means extends Takers {
  readonly reader: TarReader;
  readonly places: Places;
  readonly sha256: Sha256;
}

/** Reads the content of a file, and adds its entry, the first chunk in it, and those of the others. */
async function addChunks(facts: Entry, { reader, places, sha256, add, sink }: Means): Promise<void> {
  const isWanted = sink.begin(facts.size);
  const parts: Part[] = [];
  for (const { fileOffset, size, tarOffset } of piecesOf(facts.size, reader)) {
    const type = fileOffset === 0 ? 'reg' : 'chunk';
    const chunk = { ...facts, type, chunkOffset: fileOffset, chunkSize: size } as const;
    if (tarOffset === undefined) {
      add({ ...chunk, isZeros: true });
      parts.push({ size, digest: undefined });
      continue;
    }
    for (let done = 0; done < size; ) {
      const bytes = await reader.part(size - done);
      sha256.update(bytes);
      if (isWanted) sink.write(bytes, fileOffset + done);
      done += bytes.length;
    }
    const digest = sha256.digest();
    add({ ...chunk, ...places.locate(tarOffset), chunkDigest: digest });
    parts.push({ size, digest });
  }
  if (isWanted) sink.end(parts);
}

/** The chunks that a file is cut into: data, and the holes between. */
function* piecesOf(size: number, { position, sparse }: TarReader): Generator<Piece> {
  let fileOffset = 0;
  let tarOffset = position;
  for (const extent of sparse?.data ?? [{ offset: 0, length: size }]) {
    if (extent.offset > fileOffset) yield { fileOffset, size: extent.offset - fileOffset, tarOffset: undefined };
    const end = extent.offset + extent.length;
    for (fileOffset = extent.offset; fileOffset < end; ) {
      const length = Math.min(PLAIN_CHUNK_BYTES, end - fileOffset);
      yield { fileOffset, size: length, tarOffset };
      fileOffset += length;
      tarOffset += length;
    }
  }
  if (fileOffset < size) yield { fileOffset, size: size - fileOffset, tarOffset: undefined };
}
