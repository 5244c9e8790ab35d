// SPDX-License-Identifier: GPL-3.0-or-later

/** Files of an image on disk: in a directory, or in a tar. */

import { dirname, join, posix } from 'node:path';
import type { BlobSource, StreamSource } from '../blob/source.js';
import { Spool } from '../blob/spool.js';
import { streaming } from '../blob/streaming.js';
import { decompress, isCompressed } from '../compression/decompress.js';
import { CrfsError } from '../errors/error.js';
import { LayerFault, namingBlob } from '../formats/fault.js';
import { nameOfBytes } from '../formats/name-bytes.js';
import { openFileSource } from '../sources/file.js';
import { memberPath } from '../tar/names.js';
import { TarReader } from '../tar/reader.js';
import { readSparse, type Sparse } from '../tar/sparse.js';

export interface ImageFiles {
  readonly name: string;
  /** Opens a file by its path; rejects with CRFS_NOT_FOUND. */
  open(path: string): Promise<StreamSource>;
  close(): Promise<void>;
}

/** Those that lie in a directory, each a file of its own. */
export interface DirectoryFiles extends ImageFiles {
  pathOf(path: string): string;
}

/** The files below a directory. */
export function directoryFiles(directory: string): DirectoryFiles {
  return {
    name: directory,
    pathOf: (path) => join(directory, path),
    open: async (path) => streaming(openFileSource(join(directory, path))),
    close: async () => undefined,
  };
}

interface Member {
  /** Where the content starts in the tar. */
  readonly start: number;
  readonly size: number;
  /** Where the data of a sparse file belongs. */
  readonly sparse?: Sparse;
  /** Symlinks only: the path that it leads to. */
  readonly target?: string;
}

/** Symlinks on the way to one file. */
const LINK_LIMIT = 8;

/** Opens a tar, plain or compressed; a compressed one is copied to disk. Rejects with CRFS_NOT_FOUND, CRFS_BAD_LAYER. */
export async function archiveFiles(path: string): Promise<ImageFiles> {
  const file = openFileSource(path);
  let tar = file;
  try {
    if (await isCompressed(file)) tar = await inflated(path, file);
    return await namingBlob(path, async () => new ArchiveFiles(path, tar, await membersOf(tar)));
  } catch (error) {
    await tar.close();
    throw error;
  } finally {
    if (tar !== file) await file.close();
  }
}

class ArchiveFiles implements ImageFiles {
  readonly name: string;
  readonly #tar: BlobSource;
  readonly #members: ReadonlyMap<string, Member>;

  constructor(name: string, tar: BlobSource, members: ReadonlyMap<string, Member>) {
    this.name = name;
    this.#tar = tar;
    this.#members = members;
  }

  async open(path: string): Promise<StreamSource> {
    let name = path;
    let member = this.#members.get(name);
    for (let links = 0; member?.target !== undefined && links < LINK_LIMIT; links++) {
      name = posix.resolve('/', dirname(name), member.target).slice(1); // nothing leads out of an archive
      member = this.#members.get(name);
    }
    if (!member || member.target !== undefined) throw new CrfsError('CRFS_NOT_FOUND', `${this.name} holds no ${path}`);
    const { start, size, sparse } = member;
    const stored = (offset: number, length: number): Promise<Uint8Array> => this.#tar.read(start + offset, length);
    return streaming({
      name: `${this.name}: ${path}`,
      size,
      read: sparse ? (offset, length) => readSparse(sparse, offset, length, stored) : stored,
      close: async () => undefined,
    });
  }

  close(): Promise<void> {
    return this.#tar.close();
  }
}

/** A compressed tar, inflated into a file. Closes `file`. */
async function inflated(path: string, file: BlobSource): Promise<BlobSource> {
  const spool = await Spool.create();
  try {
    await namingBlob(path, async () => {
      for await (const piece of decompress(streaming(file).stream(0, file.size))) await spool.append(piece);
    });
  } catch (error) {
    await spool.close();
    throw error;
  }
  return {
    name: path,
    size: spool.size,
    read: (offset, length) => spool.readExactly(offset, length),
    close: () => spool.close(),
  };
}

/** Where the files of a tar are, by their paths. */
async function membersOf(tar: BlobSource): Promise<Map<string, Member>> {
  const members = new Map<string, Member>();
  const reader = new TarReader(streaming(tar).stream(0, tar.size));
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    const name = memberPath(nameOfBytes(entry.name));
    if (entry.type === 'file') {
      const { position: start, sparse } = reader;
      members.set(name, { start, size: entry.size, ...(sparse && { sparse }) });
    }
    if (entry.type === 'symlink') members.set(name, { start: 0, size: 0, target: nameOfBytes(entry.linkName) });
    if (entry.type === 'hardlink') {
      const linked = members.get(memberPath(nameOfBytes(entry.linkName)));
      if (!linked) throw new LayerFault(`the hardlink ${name} leads nowhere`);
      members.set(name, linked);
    }
  }
  return members;
}
