// SPDX-License-Identifier: GPL-3.0-or-later

/** A whole download kept in a file without a name, read while it still grows: for servers that know no ranges. */

import { EventEmitter, once } from 'node:events';
import type { FileHandle } from 'node:fs/promises';
import { namelessFile } from '../blob/nameless-file.js';
import { CrfsError } from '../errors/error.js';
import { isNoSpace } from '../errors/no-space.js';

const PIECE = 1 << 20;

function noSpace(error: unknown): CrfsError {
  const said = error instanceof Error ? error.message : String(error);
  return new CrfsError(isNoSpace(error) ? 'CRFS_NO_SPACE' : 'CRFS_INTERNAL', `cannot keep a download: ${said}`, {
    cause: error,
  });
}

export class WholeDownload {
  readonly #file: FileHandle;
  #stored = 0;
  #ended: { readonly error?: unknown } | undefined;
  /** Emits `change` when bytes have arrived, or the end has come. */
  readonly #events = new EventEmitter().setMaxListeners(0);

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Starts to keep `content` in a file of `directory`. */
  static async create(directory: string, content: AsyncIterable<Uint8Array>): Promise<WholeDownload> {
    try {
      const download = new WholeDownload(await namelessFile(directory));
      void download.#fill(content);
      return download;
    } catch (error) {
      throw noSpace(error);
    }
  }

  /** Whether the download ended without all bytes. */
  get failed(): boolean {
    return this.#ended !== undefined && 'error' in this.#ended;
  }

  /** Resolves to the number of bytes, when all have arrived. Rejects with what ended the download. */
  async size(): Promise<number> {
    while (this.#ended === undefined) await once(this.#events, 'change');
    if ('error' in this.#ended) throw this.#ended.error;
    return this.#stored;
  }

  /** Yields the bytes [offset, offset + length) as they arrive. */
  async *stream(offset: number, length: number, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const end = offset + length;
    for (let at = offset; at < end; ) {
      signal?.throwIfAborted();
      const there = Math.min(this.#stored, end) - at;
      if (there <= 0) {
        if (this.#ended !== undefined)
          throw this.#ended.error ?? new CrfsError('CRFS_UNREACHABLE', 'the download ended early');
        await once(this.#events, 'change', signal && { signal });
        continue;
      }
      const buffer = new Uint8Array(Math.min(there, PIECE));
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, at);
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  async close(): Promise<void> {
    this.#end({ error: new CrfsError('CRFS_INTERNAL', 'the source was closed') });
    await this.#file.close();
  }

  async #fill(content: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const chunk of content) {
        if (this.#ended !== undefined) return;
        await this.#file.writev([chunk], this.#stored);
        this.#stored += chunk.length;
        this.#events.emit('change');
      }
      this.#end({});
    } catch (error) {
      this.#end({ error: error instanceof CrfsError ? error : noSpace(error) });
    }
  }

  #end(how: { readonly error?: unknown }): void {
    this.#ended ??= how;
    this.#events.emit('change');
  }
}
