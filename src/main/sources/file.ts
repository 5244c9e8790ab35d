// SPDX-License-Identifier: GPL-3.0-or-later

/** Blobs in local files. */

import { type BigIntStats, close, closeSync, constants, fstatSync, openSync, read, statSync } from 'node:fs';
import { promisify } from 'node:util';
import type { BlobSource } from '../blob/source.js';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';

const readAt = promisify(read);
const closeFd = promisify(close);

class FileSource implements BlobSource {
  readonly name: string;
  readonly size: number;
  #fd: number;

  constructor(fd: number, name: string, size: number) {
    this.#fd = fd;
    this.name = name;
    this.size = size;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    this.#check(offset, length);
    const bytes = Buffer.allocUnsafeSlow(length);
    await this.readInto(offset, bytes);
    return bytes;
  }

  async readInto(offset: number, room: Uint8Array): Promise<void> {
    this.#check(offset, room.length);
    for (let done = 0; done < room.length; ) {
      const { bytesRead } = await this.#readSome(room, done, offset + done);
      if (bytesRead === 0) {
        throw new CrfsError(
          'CRFS_BAD_LAYER',
          `${this.name}: truncated while open: ${this.size} bytes at first, now it ends at ${offset + done}`,
        );
      }
      done += bytesRead;
    }
  }

  #check(offset: number, length: number): void {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) {
      throw new CrfsError(
        'CRFS_BAD_LAYER',
        `${this.name}: asked for ${length} bytes at ${offset} of ${this.size} bytes`,
      );
    }
  }

  async #readSome(bytes: Uint8Array, done: number, position: number): Promise<{ bytesRead: number }> {
    try {
      return await readAt(this.#fd, bytes, done, bytes.length - done, position);
    } catch (error) {
      throw new CrfsError('CRFS_UNREACHABLE', `${this.name}: cannot be read: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  async close(): Promise<void> {
    const fd = this.#fd;
    this.#fd = -1;
    if (fd >= 0) {
      await closeFd(fd);
    }
  }
}

/**
 * A source over an open descriptor, which belongs to the source from then on. Its size is the one at this moment.
 * Throws CRFS_USAGE if the descriptor is no regular file; it stays the caller's then.
 */
export function fileSource(fd: number, name: string): BlobSource {
  const stat = fstatSync(fd);
  if (!stat.isFile()) {
    const advice = stat.isDirectory() ? ': write oci:DIR or dir:DIR for an image in a directory' : '';
    throw new CrfsError('CRFS_USAGE', `${name}: is no regular file, and so no layer${advice}`);
  }
  return new FileSource(fd, name, stat.size);
}

/** Says which bytes a file has, by what stat tells of it: equal as long as nobody has written to it. */
export function fileIdentity({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `file ${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}

/** The same of a path; the path itself where nothing can be found there, as whoever opens it will be told. */
export function identityAt(path: string): string {
  try {
    return fileIdentity(statSync(path, { bigint: true }));
  } catch {
    return path;
  }
}

const OPEN_CODES = { ENOENT: 'CRFS_NOT_FOUND', ENOTDIR: 'CRFS_NOT_FOUND', EACCES: 'CRFS_DENIED' } as const;

/** Opens a file that the person at the command line named, with that person's rights. */
export function openFileSource(path: string): BlobSource {
  const fd = openForReading(path);
  try {
    return fileSource(fd, path);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openForReading(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // a fifo without a writer must not hang us
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CrfsError(
      OPEN_CODES[code as keyof typeof OPEN_CODES] ?? 'CRFS_USAGE',
      `${path}: cannot be opened: ${reasonOf(error)}`,
      { cause: error },
    );
  }
}
