// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * A tar without the content of its files, of which containers-storage makes the very same tar again out of the files. It is
 * JSON, an object in each line: segments of the tar, with what fills up the block of the file before, and files by their
 * name, size and CRC-64. (github.com/vbatts/tar-split, tar/storage)
 */

import { addon } from '../../../native/addon.js';
import { nameOfBytes } from '../../formats/name-bytes.js';
import type { TarEntry } from '../../tar/entry.js';
import type { Packed } from './packed.js';

const FILE = 1;
const SEGMENT = 2;

export class TarSplit {
  readonly #packed: Packed;
  #position = 0;
  #pending: Uint8Array[] = [];
  #file: Pick<TarEntry, 'name' | 'size'> | undefined;
  #sum = 0n;

  /** `packed` takes the JSON. */
  constructor(packed: Packed) {
    this.#packed = packed;
  }

  /** Takes the headers of the next entry. */
  async header({ headers, name, size }: TarEntry): Promise<void> {
    await this.#endFile();
    this.#pending.push(...headers);
    await this.#segment();
    this.#file = { name, size };
    this.#sum = 0n;
  }

  /** Takes a piece of the entry's content. */
  content(piece: Uint8Array): void {
    this.#sum = addon.crc64(this.#sum, piece);
  }

  /** Takes what follows the content, and is none: it goes into the next segment. */
  async filling(bytes: Uint8Array): Promise<void> {
    await this.#endFile();
    this.#pending.push(bytes);
  }

  /** Takes bytes of the tar's end. */
  async tail(bytes: Uint8Array): Promise<void> {
    await this.filling(bytes);
    await this.#segment();
  }

  /** Nothing follows. */
  async end(): Promise<void> {
    await this.#endFile();
    await this.#segment();
  }

  async #endFile(): Promise<void> {
    if (this.#file === undefined) return;
    const { name, size } = this.#file;
    this.#file = undefined;
    const payload = size > 0 ? sumBytes(this.#sum).toString('base64') : null;
    await this.#add({ type: FILE, name: nameOfBytes(name), ...(size > 0 && { size }), payload });
  }

  async #segment(): Promise<void> {
    const payload = Buffer.concat(this.#pending);
    this.#pending = [];
    if (payload.length > 0) await this.#add({ type: SEGMENT, payload: payload.toString('base64') });
  }

  async #add(fields: object): Promise<void> {
    await this.#packed.write(Buffer.from(`${JSON.stringify({ ...fields, position: this.#position++ })}\n`));
  }
}

function sumBytes(sum: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(sum);
  return bytes;
}
