// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { objectPath } from '../disk/cache-layout.js';

/** The content of a file, in the cache. */
export class CachedObject {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** undefined: it is not there, or has another size. */
  static async open(objects: string, name: string, size: number): Promise<CachedObject | undefined> {
    const file = await open(objectPath(objects, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (file === undefined || (await file.stat()).size === size) return file && new CachedObject(file);
    await file.close();
    return undefined;
  }

  /** So many bytes, from `offset` on. */
  async *read(offset: number, size: number): AsyncGenerator<Uint8Array> {
    if (size === 0) return;
    yield* this.#file.createReadStream({ start: offset, end: offset + size - 1, autoClose: false });
  }

  /** Whether these bytes have this sha256. */
  async holds(digest: Uint8Array, offset: number, size: number): Promise<boolean> {
    const hash = createHash('sha256');
    for await (const piece of this.read(offset, size)) hash.update(piece);
    return hash.digest().equals(digest);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
