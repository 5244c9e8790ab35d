// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, ftruncateSync, futimesSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { objectPath, passDraft } from '../../main/disk/cache-layout.js';
import { createAnew, inDirectory } from '../../main/disk/in-directory.js';
import { digestOfChunks, objectName } from '../../main/index/object-name.js';
import type { ContentSink, Part } from '../../main/plain/content-sink.js';
import { Board } from '../board/board.js';

const READ_ONLY = 0o400;
/** On most file systems no file takes less. */
const LEAST_BYTES = 4 << 10;
const NOTHING = { bytes: 0, files: 0 };

/** Where what passes is kept. */
export interface Keeping {
  /** The board of the workers that serve, and how many there may be. */
  readonly board: SharedArrayBuffer;
  readonly workers: number;
  /** The cache's directory of objects. */
  readonly objects: string;
  /** Where files are written before they have their names, and the number of this pass among all of the daemon. */
  readonly tmp: string;
  readonly pass: number;
  /** What may be kept, of all files together. */
  readonly limit: { readonly bytes: number; readonly files: number };
}

/**
 * Makes objects of files as a pass over a layer comes by them. That saves decoding them once more, and is all that it is for: where
 * the disk takes no more, or the cache is not to have more, what follows is not kept.
 */
export class PassedFiles implements ContentSink {
  readonly #board: Board;
  readonly #objects: string;
  readonly #tmp: string;
  readonly #pass: number;
  #count = 0;
  #draft = '';
  #left: Keeping['limit'];
  #fd = -1;
  #size = 0;

  constructor({ board, workers, objects, tmp, pass, limit }: Keeping) {
    this.#board = new Board(workers, board);
    this.#objects = objects;
    this.#tmp = tmp;
    this.#pass = pass;
    this.#left = limit;
  }

  begin(size: number): boolean {
    if (size > this.#left.bytes || this.#left.files < 1) return false;
    this.#size = size;
    this.#draft = passDraft(this.#tmp, this.#pass, this.#count++);
    this.#unlessItFails(() => {
      this.#fd = createAnew(this.#draft, READ_ONLY);
    });
    return this.#fd >= 0;
  }

  write(bytes: Uint8Array, fileOffset: number): void {
    this.#unlessItFails(() => {
      for (let done = 0; this.#fd >= 0 && done < bytes.length; ) {
        done += writeSync(this.#fd, bytes, done, bytes.length - done, fileOffset + done);
      }
    });
  }

  end(parts: readonly Part[]): void {
    this.#unlessItFails(() => {
      if (this.#fd < 0) return;
      if (parts.at(-1)?.digest === undefined) ftruncateSync(this.#fd, this.#size); // it ends in a hole
      this.#publish(nameOf(parts));
    });
    this.close();
  }

  /** Throws away what has not come as a whole. */
  close(): void {
    if (this.#fd < 0) return;
    rmSync(this.#draft, { force: true });
    this.#closeDraft();
  }

  #closeDraft(): void {
    closeSync(this.#fd);
    this.#fd = -1;
  }

  /**
   * All of its content is written before the generation is looked up, and so is on the disk once that generation is. If its name comes
   * later than that, it is the draft's that is lost.
   */
  #publish(name: string): void {
    const path = objectPath(this.#objects, name);
    if (statSync(path, { throwIfNoEntry: false })?.size === this.#size) return;
    futimesSync(this.#fd, Date.now() / 1000, this.#board.generation);
    inDirectory(path, () => renameSync(this.#draft, path));
    this.#closeDraft();
    this.#left = { bytes: this.#left.bytes - Math.max(this.#size, LEAST_BYTES), files: this.#left.files - 1 };
    this.#board.counters.add('objects', 1);
    this.#board.counters.add('objectBytes', this.#size);
  }

  #unlessItFails(act: () => void): void {
    try {
      act();
    } catch {
      this.close();
      this.#left = NOTHING;
    }
  }
}

/** The name of the object of a file of such parts: src/main/index/object-keys.ts. */
function nameOf(parts: readonly Part[]): string {
  const [only] = parts;
  if (parts.length === 1 && only?.digest !== undefined) return objectName(only.digest, true);
  return objectName(digestOfChunks(parts.map(({ size, digest }) => ({ size, digest: bytesOf(digest) }))), false);
}

function bytesOf(digest: string | undefined): Buffer | undefined {
  return digest === undefined ? undefined : Buffer.from(digest, 'hex');
}
