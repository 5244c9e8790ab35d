// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Reads a tar from a stream, keeping the bytes of its headers.
 *
 * tar-stream would lose what layers need: it decodes the values of PAX records as UTF-8 (capabilities are binary), knows
 * no sparse files, is off by one for negative base-256 numbers, cuts times to milliseconds, and hides the header's bytes,
 * which are the only way to write every entry again just as it was.
 */

import { LayerFault, quote } from '../../formats/fault.js';
import { ByteReader } from './bytes.js';
import { blockSize, changedHeader, type Header, octalSizeLimit, paddingLength, parseHeader } from './header.js';
import { type PaxRecord, type PaxRecords, parseDecimal, parsePax, parseTime, paxHeader, xattrName } from './pax.js';
import { expand, readDataMap, readOldMap, readPaxMap, type Sparse, storedSize } from './sparse.js';

export interface TarEntry {
  /** Where its first header starts in the tar. */
  readonly start: number;
  /** What stands before the content: the entry's own bytes, or others with the same meaning and the file not sparse. */
  readonly headers: readonly Uint8Array[];
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo';
  readonly name: Buffer;
  readonly linkName: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly userName: string;
  readonly groupName: string;
  /** Bytes of content, the holes of a sparse file counted; 0 for all but files. */
  readonly size: number;
  readonly mtime: { readonly seconds: number; readonly nanoseconds: number };
  readonly devMajor: number;
  readonly devMinor: number;
  readonly xattrs: PaxRecords;
}

const types: Readonly<Record<string, TarEntry['type']>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
  '7': 'file',
  S: 'file',
};

const headerLimit = 1024 * 1024;
const idLimit = 2 ** 32;
const xattrPrefix = 'SCHILY.xattr.';
const slash = 0x2f;

/** The headers that precede an entry's own. */
interface Extensions {
  readonly raw: Uint8Array[];
  records: PaxRecord[];
  longName?: Buffer;
  longLink?: Buffer;
}

export class TarReader {
  readonly #bytes: ByteReader;
  #globals: PaxRecords;
  /** Of the last entry: bytes of its content that are still in the tar, padding behind them, and its holes. */
  #stored = 0;
  #padding = 0;
  #sparse: Sparse | undefined;
  #name = '';

  /** `globals`: the records of global headers that stand before the stream's start. */
  constructor(source: AsyncIterable<Uint8Array>, globals: PaxRecords = new Map()) {
    this.#bytes = new ByteReader(source);
    this.#globals = globals;
  }

  /** Where the next byte is in the tar. */
  get position(): number {
    return this.#bytes.position;
  }

  /** The records of the last global header. */
  get globals(): PaxRecords {
    return this.#globals;
  }

  /** The next entry; content of the last that was not read is passed over. Undefined behind the last. Throws LayerFault. */
  async next(): Promise<TarEntry | undefined> {
    await this.#pass();
    const extensions: Extensions = { raw: [], records: [] };
    let start = this.position;
    for (;;) {
      const block = await this.#bytes.exactly(blockSize);
      if (block.length < blockSize) throw new LayerFault(truncated(start, block.length));
      const header = parseHeader(block);
      if (!header) {
        if (extensions.raw.length > 0) throw new LayerFault('the tar ends with a header that belongs to no entry');
        await this.#drain();
        return undefined;
      }
      const copy = Buffer.from(block);
      if (header.typeFlag === 'g') {
        this.#globals = folded(this.#globals, await this.#extension(header, []));
      } else if (header.typeFlag === 'V') {
        await this.#extension(header, []); // GNU tar's label of the whole tar
      } else if (!(await this.#extend(header, copy, extensions))) {
        return await this.#entry(start, header, copy, extensions);
      }
      if (extensions.raw.length === 0) start = this.position;
    }
  }

  /** The content of the last entry, to be read once, before the next. Throws LayerFault. */
  async *content(): AsyncGenerator<Uint8Array> {
    if (this.#sparse) {
      yield* expand(this.#sparse, (limit) => this.#take(limit));
      return;
    }
    while (this.#stored > 0) yield await this.#take(this.#stored);
  }

  /** Ends the stream early. */
  close(): Promise<void> {
    return this.#bytes.close();
  }

  /** Takes in a header that only says something about the next one. */
  async #extend(header: Header, block: Buffer, extensions: Extensions): Promise<boolean> {
    if (!['x', 'X', 'L', 'K'].includes(header.typeFlag)) return false;
    extensions.raw.push(block);
    const body = await this.#extension(header, extensions.raw);
    if (header.typeFlag === 'L') extensions.longName = untilNul(body);
    else if (header.typeFlag === 'K') extensions.longLink = untilNul(body);
    else extensions.records.push(...parsePax(body));
    return true;
  }

  async #extension(header: Header, raw: Uint8Array[]): Promise<Buffer> {
    if (header.size < 0 || header.size > headerLimit) {
      throw new LayerFault(`an extended header of ${header.size} bytes, more than ${headerLimit}`);
    }
    const whole = header.size + paddingLength(header.size);
    const body = Buffer.from(await this.#bytes.exactly(whole));
    if (body.length < whole) throw new LayerFault(truncated(this.position, body.length));
    raw.push(body);
    return body.subarray(0, header.size);
  }

  async #entry(start: number, header: Header, block: Buffer, extensions: Extensions): Promise<TarEntry> {
    const records = new Map([...this.#globals, ...folded(new Map(), extensions.records)]);
    const value = (keyword: string): Buffer | undefined => {
      const found = records.get(keyword);
      return found && found.length > 0 ? found : undefined;
    };
    const decimal = (keyword: string, otherwise: number): number => {
      const found = value(keyword);
      return found ? parseDecimal(found, keyword) : otherwise;
    };
    const name = value('GNU.sparse.name') ?? value('path') ?? extensions.longName ?? header.name;
    this.#name = quote(name.toString());
    const linkName = value('linkpath') ?? extensions.longLink ?? header.linkName;
    const type = this.#type(header, name);
    const mtime = value('mtime');
    const stored = type === 'file' ? decimal('size', header.size) : 0;
    if (stored < 0) throw new LayerFault(`${this.#name} has a size of ${stored}`);
    await this.#locate(header, block, stored, extensions.records, records);
    const size = this.#sparse?.size ?? stored;
    const changed = this.#sparse !== undefined || this.#globals.size > 0;
    return {
      start,
      headers: changed
        ? rewritten(block, size, records, { name, linkName }, this.#sparse !== undefined)
        : [...extensions.raw, block],
      type,
      name,
      linkName: type === 'symlink' || type === 'hardlink' ? linkName : Buffer.alloc(0),
      mode: header.mode,
      uid: this.#id(decimal('uid', header.uid)),
      gid: this.#id(decimal('gid', header.gid)),
      userName: value('uname')?.toString() ?? header.userName,
      groupName: value('gname')?.toString() ?? header.groupName,
      size,
      mtime: mtime ? parseTime(mtime) : { seconds: header.mtime, nanoseconds: 0 },
      devMajor: type === 'char' || type === 'block' ? header.devMajor : 0,
      devMinor: type === 'char' || type === 'block' ? header.devMinor : 0,
      xattrs: new Map(
        [...records]
          .filter(([keyword]) => keyword.startsWith(xattrPrefix))
          .map(([keyword, bytes]) => [xattrName(keyword.slice(xattrPrefix.length)), bytes]),
      ),
    };
  }

  #type(header: Header, name: Buffer): TarEntry['type'] {
    const type = types[header.typeFlag];
    if (!type) throw new LayerFault(`${this.#name} is of a type that layers do not have: ${quote(header.typeFlag)}`);
    // Before there was a type for directories, a slash told them.
    return type === 'file' && name.at(-1) === slash && header.size === 0 ? 'directory' : type;
  }

  #id(id: number): number {
    if (id >= 0 && id < idLimit) return id;
    throw new LayerFault(`${this.#name} has the owner ${id}, which is no 32-bit number`);
  }

  /** Finds out where the content is, and the holes in it. */
  async #locate(
    header: Header,
    block: Buffer,
    stored: number,
    own: readonly PaxRecord[],
    all: PaxRecords,
  ): Promise<void> {
    this.#sparse = undefined;
    this.#stored = stored;
    this.#padding = paddingLength(stored);
    if (all.get('GNU.sparse.major')?.toString() === '1') {
      const size = parseDecimal(all.get('GNU.sparse.realsize') ?? Buffer.alloc(0), 'size');
      const { map, taken } = await readDataMap(size, this.#bytes);
      this.#sparse = map;
      this.#stored -= taken;
    } else {
      this.#sparse = header.typeFlag === 'S' ? await readOldMap(block, this.#bytes) : readPaxMap(own);
    }
    if (this.#sparse && storedSize(this.#sparse) > this.#stored) {
      throw new LayerFault(`${this.#name} is a sparse file with less data than its map says`);
    }
  }

  async #take(limit: number): Promise<Uint8Array> {
    const piece = await this.#bytes.some(limit);
    if (!piece) throw new LayerFault(`the tar ends in the middle of ${this.#name}`);
    this.#stored -= piece.length;
    return piece;
  }

  async #pass(): Promise<void> {
    this.#stored += this.#padding;
    this.#padding = 0;
    while (this.#stored > 0) await this.#take(this.#stored);
    this.#stored = 0;
  }

  /** What follows the end of a tar is its padding; a compressed stream also shows there whether it is whole. */
  async #drain(): Promise<void> {
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

/** Later records replace earlier ones. Comments and what belongs to the header alone are left out. */
function folded(before: PaxRecords, records: Buffer | readonly PaxRecord[]): PaxRecords {
  const list = Buffer.isBuffer(records) ? parsePax(records) : records;
  return new Map([...before, ...list.filter(([keyword]) => keyword !== 'comment')]);
}

/** Headers with the same meaning that need no global header, no long-name entry and no sparse map. */
function rewritten(
  block: Buffer,
  size: number,
  records: PaxRecords,
  names: { readonly name: Buffer; readonly linkName: Buffer },
  sparse: boolean,
): Uint8Array[] {
  const kept = new Map([...records].filter(([keyword]) => !keyword.startsWith('GNU.sparse.') && keyword !== 'size'));
  kept.set('path', names.name);
  if (names.linkName.length > 0) kept.set('linkpath', names.linkName);
  if (size >= octalSizeLimit) kept.set('size', Buffer.from(String(size)));
  const typeFlag = sparse ? '0' : String.fromCharCode(block[156] ?? 0);
  return [...paxHeader(kept), changedHeader(block, typeFlag, size)];
}
