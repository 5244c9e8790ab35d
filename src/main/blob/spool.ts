// SPDX-License-Identifier: GPL-3.0-or-later

import type { FileHandle } from 'node:fs/promises';
import { CrfsError } from '../errors/error.js';
import { isNoSpace } from '../errors/no-space.js';
import { reasonOf } from '../errors/reason.js';
import { writeFully } from './file-sink.js';
import { namelessFile } from './nameless-file.js';

const PIECE_SIZE = 256 * 1024;

/** $TMPDIR, or /var/tmp: /tmp is memory on many machines. */
export function spoolDirectory(): string {
  return process.env['TMPDIR'] || '/var/tmp';
}

/** The error to show where $TMPDIR cannot be written to: CRFS_NO_SPACE or CRFS_DENIED. */
export function spoolError(error: unknown): CrfsError {
  const where = `${spoolDirectory()} (TMPDIR names another directory)`;
  if (isNoSpace(error)) return new CrfsError('CRFS_NO_SPACE', `no space left in ${where}`, { cause: error });
  return new CrfsError('CRFS_DENIED', `cannot write to ${where}: ${reasonOf(error)}`, { cause: error });
}

/** Bytes that are too many for memory, in a file without a name: gone with the process, whatever ends it. */
export class Spool {
  /** Bytes appended so far. */
  size = 0;
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Makes an empty one. Rejects with CRFS_DENIED or CRFS_NO_SPACE where $TMPDIR is of no use. */
  static async create(): Promise<Spool> {
    try {
      return new Spool(await namelessFile(spoolDirectory()));
    } catch (error) {
      throw spoolError(error);
    }
  }

  /** Appends bytes. Rejects with CRFS_NO_SPACE. */
  async append(bytes: Uint8Array): Promise<void> {
    await writeFully(this.#file, bytes, this.size).catch((error: unknown) => {
      throw spoolError(error);
    });
    this.size += bytes.length;
  }

  /** The bytes from `start` up to `end`; each piece is the reader's to keep. */
  async *read(start = 0, end = this.size): AsyncGenerator<Uint8Array> {
    for (let at = start; at < end; ) {
      const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_SIZE, end - at));
      const { bytesRead } = await this.#file.read(piece, 0, piece.length, at);
      if (bytesRead === 0) return;
      yield piece.subarray(0, bytesRead);
      at += bytesRead;
    }
  }

  /** Exactly `length` bytes from `offset`, which must be there. */
  async readExactly(offset: number, length: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this.read(offset, offset + length)) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
