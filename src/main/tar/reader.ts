// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Reads a tar from a stream, keeping the bytes of its headers.
 *
 * tar-stream would lose what layers need: it decodes the values of PAX records as UTF-8 (capabilities are binary), knows
 * no sparse files, is off by one for negative base-256 numbers, cuts times to milliseconds, and hides the header's bytes,
 * which are the only way to write every entry again just as it was.
 */

import { ByteReader } from '../blob/byte-reader.js';
import { LayerFault, namingEntry, ofEntry, quote } from '../formats/fault.js';
import { nameOfBytes } from '../formats/name-bytes.js';
import { type Described, describe, type Extensions, merged, rewrittenHeaders, type TarEntry } from './entry.js';
import { BLOCK_SIZE, type Header, paddingLength, parseHeader } from './header.js';
import { type PaxRecord, type PaxRecords, parseDecimal, parsePax } from './pax.js';
import { expand, readDataMap, readOldMap, readPaxMap, type Sparse, storedSize } from './sparse.js';

/** Bytes of one extended header. */
const EXTENSION_SIZE_LIMIT = 1024 * 1024;
/** Header blocks and bodies of extended headers before one entry. */
const EXTENSION_LIMIT = 16;

/** Yields the entries of a tar one after the other: next(), then content() or not, and so on. */
export class TarReader {
  readonly #bytes: ByteReader;
  readonly #isWhole: boolean;
  #globals: PaxRecords;
  /** Of the last entry: bytes of its content that are still in the tar, padding behind them, and its holes. */
  #stored = 0;
  #padding = 0;
  #tail = 0;
  #sparse: Sparse | undefined;
  #name = '';

  /**
   * `globals`: the records of global headers that stand before the stream's start. `isWhole`: nobody has cut the stream, so
   * that it may be empty, or lack the blocks that mark a tar's end.
   */
  constructor(source: AsyncIterable<Uint8Array>, globals: PaxRecords = new Map(), isWhole = false) {
    this.#bytes = new ByteReader(source);
    this.#globals = globals;
    this.#isWhole = isWhole;
  }

  /** Where the next byte is in the tar. */
  get position(): number {
    return this.#bytes.position;
  }

  /** The records of the last global header. */
  get globals(): PaxRecords {
    return this.#globals;
  }

  /** Bytes behind the last entry, once there is no further one: those that mark the tar's end, and what fills it up. */
  get tail(): number {
    return this.#tail;
  }

  /** Of the last entry, if it has holes: where the data belongs that is stored from `position` on. */
  get sparse(): Sparse | undefined {
    return this.#sparse;
  }

  /** The next entry; content of the last that was not read is passed over. Undefined behind the last. Throws LayerFault. */
  async next(): Promise<TarEntry | undefined> {
    await this.#skipContent();
    const extensions: Extensions = { raw: [], records: [] };
    let start = this.position;
    for (;;) {
      const block = Buffer.from(await this.#bytes.exactly(BLOCK_SIZE));
      if (block.length === 0 && extensions.raw.length === 0 && this.#isWhole) return undefined;
      if (block.length < BLOCK_SIZE) throw new LayerFault(truncated(start, block.length));
      const header = parseHeader(block);
      if (!header) {
        if (extensions.raw.length > 0) throw new LayerFault('the tar ends with a header that belongs to no entry');
        await this.#readToEnd();
        this.#tail = this.position - start;
        return undefined;
      }
      if (header.typeFlag === 'g') {
        this.#globals = merged(this.#globals, parsePax(await this.#extension(header, [])));
      } else if (header.typeFlag === 'V') {
        await this.#extension(header, []); // GNU tar's label of the whole tar
      } else if (!(await this.#extend(header, block, extensions))) {
        return await this.#entry(start, header, block, extensions);
      }
      if (extensions.raw.length === 0) start = this.position;
    }
  }

  /** The content of the last entry, to be read once, before the next. Throws LayerFault. */
  async *content(): AsyncGenerator<Uint8Array> {
    if (this.#sparse) {
      yield* expand(this.#sparse, (limit) => this.part(limit));
      return;
    }
    yield* this.stored();
  }

  /** The same as it is stored: of a sparse file without its holes. */
  async *stored(): AsyncGenerator<Uint8Array> {
    while (this.#stored > 0) yield await this.part(this.#stored);
  }

  /** The next part of that, of at least 1 byte and at most `limit`. Throws LayerFault. */
  async part(limit: number): Promise<Uint8Array> {
    if (this.#stored === 0) throw new LayerFault(`${this.#name} has less data than its headers say`);
    const piece = await this.#bytes.some(Math.min(limit, this.#stored));
    if (!piece) throw new LayerFault(`the tar ends in the middle of ${this.#name}`);
    this.#stored -= piece.length;
    return piece;
  }

  /** Ends the stream early. */
  close(): Promise<void> {
    return this.#bytes.close();
  }

  /** Takes in a header that only extends the next one; false if it is the header of an entry itself. */
  async #extend(header: Header, block: Buffer, extensions: Extensions): Promise<boolean> {
    if (!['x', 'X', 'L', 'K'].includes(header.typeFlag)) return false;
    if (extensions.raw.length > EXTENSION_LIMIT) throw new LayerFault('extended headers of extended headers, too many');
    extensions.raw.push(block);
    const body = await this.#extension(header, extensions.raw);
    if (header.typeFlag === 'L') extensions.longName = untilNul(body);
    else if (header.typeFlag === 'K') extensions.longLink = untilNul(body);
    else extensions.records = parsePax(body);
    return true;
  }

  /** The body of an extended header; adds its blocks to `raw`. */
  async #extension(header: Header, raw: Uint8Array[]): Promise<Buffer> {
    if (header.size < 0 || header.size > EXTENSION_SIZE_LIMIT) {
      throw new LayerFault(`an extended header of ${header.size} bytes, more than ${EXTENSION_SIZE_LIMIT}`);
    }
    const whole = header.size + paddingLength(header.size);
    const body = Buffer.from(await this.#bytes.exactly(whole));
    if (body.length < whole) throw new LayerFault(truncated(this.position, body.length));
    raw.push(body);
    return body.subarray(0, header.size);
  }

  async #entry(start: number, header: Header, block: Buffer, extensions: Extensions): Promise<TarEntry> {
    const entry = namingEntry(nameOfBytes(header.name), () => describe(header, extensions, this.#globals));
    const name = nameOfBytes(entry.name);
    this.#name = quote(name);
    await this.#locate(header, block, entry, extensions.records).catch((error: unknown) => {
      throw ofEntry(name, error);
    });
    const { stored, ...described } = entry;
    const size = entry.type === 'file' ? (this.#sparse?.size ?? stored) : 0;
    const isChanged = this.#sparse !== undefined || this.#globals.size > 0 || header.typeFlag === 'D';
    const headers = isChanged ? rewrittenHeaders(block, entry, size) : [...extensions.raw, block];
    return { ...described, start, headers, size };
  }

  /** Finds out where the content is, and the holes in it. */
  async #locate(header: Header, block: Buffer, entry: Described, own: readonly PaxRecord[]): Promise<void> {
    const { records, stored } = entry;
    this.#sparse = undefined;
    this.#stored = stored;
    this.#padding = paddingLength(stored);
    if (records.get('GNU.sparse.major')?.toString() === '1') {
      const size = parseDecimal(records.get('GNU.sparse.realsize') ?? Buffer.alloc(0), 'size');
      const { map, taken } = await readDataMap(size, this.#bytes);
      this.#sparse = map;
      this.#stored -= taken;
    } else {
      this.#sparse = header.typeFlag === 'S' ? await readOldMap(block, this.#bytes) : readPaxMap(own);
    }
    if (this.#sparse && storedSize(this.#sparse) > this.#stored) {
      throw new LayerFault('a sparse file with less data than its map says');
    }
  }

  /** Passes over what was not read of the last entry, and its padding. */
  async #skipContent(): Promise<void> {
    while (this.#stored > 0) await this.part(this.#stored);
    this.#stored = 0;
    await this.#bytes.exactly(this.#padding); // there may be none behind the last entry: what is there is whole
    this.#padding = 0;
  }

  /** Reads what follows a tar's end: padding. Only at its end does a compressed stream tell whether it is whole. */
  async #readToEnd(): Promise<void> {
    while (await this.#bytes.some(Number.MAX_SAFE_INTEGER));
  }
}

function truncated(position: number, length: number): string {
  if (position + length === 0) return 'not a tar: it is empty';
  return position === 0
    ? `not a tar: it is only ${length} bytes long`
    : `the tar ends at byte ${position + length}, before its end is marked`;
}

function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}
