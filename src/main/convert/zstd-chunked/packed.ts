// SPDX-License-Identifier: GPL-3.0-or-later

import { Spool } from '../../blob/spool.js';
import type { Deflater } from '../deflater.js';
import { MemberWriter } from '../members.js';

/** Bytes of frames, without the part that is about chunks: there are none. */
const NO_CHUNKS = { chunkSize: 0, minChunkSize: 0, endsAtChunks: false };

/** Bytes that are compressed as they come, into zstd frames on disk: what has its length told before it in a blob. */
export class Packed {
  readonly #spool: Spool;
  readonly #frames: MemberWriter;

  private constructor(spool: Spool, deflater: Deflater) {
    this.#spool = spool;
    this.#frames = new MemberWriter(deflater, { write: (bytes) => spool.append(bytes) }, NO_CHUNKS);
  }

  static async create(deflater: Deflater): Promise<Packed> {
    return new Packed(await Spool.create(), deflater);
  }

  /** Bytes of the frames so far; of all once it is finished. */
  get size(): number {
    return this.#frames.written;
  }

  /** Bytes that went in. */
  get rawSize(): number {
    return this.#frames.uncompressed;
  }

  /** Resolves when there is room for more. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    return this.#frames.write(bytes);
  }

  /** Ends the last frame; resolves to the sha256 of the frames, `sha256:` and hexadecimal digits. */
  async finish(): Promise<string> {
    await this.#frames.finish();
    return `sha256:${this.#frames.digests().blob}`;
  }

  /** The frames. */
  read(): AsyncIterable<Uint8Array> {
    return this.#spool.read();
  }

  async close(): Promise<void> {
    await this.#spool.close();
  }
}
