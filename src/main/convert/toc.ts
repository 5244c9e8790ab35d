// SPDX-License-Identifier: GPL-3.0-or-later

/** The TOC's JSON, written as the layer is: eStargz specification, "TOC". */

import { createHash } from 'node:crypto';
import { EMPTY_HEX } from '../blob/digest.js';
import type { Spool } from '../blob/spool.js';
import { LayerFault, quote } from '../formats/fault.js';
import { JSON_VALUE_LIMIT } from '../formats/json-toc/value.js';
import type { TarEntry } from '../tar/entry.js';
import type { Chunk } from './members.js';
import { Remarks } from './remarks.js';
import { TarPlacement } from './tar-placement.js';

/** The chunks of a file, added as they are started and complete when their members are written. */
export class FileContent {
  readonly chunkCount: number;
  readonly chunks: Chunk[] = [];
  /** SHA-256 of a file in several chunks, in hexadecimal digits. */
  digest: string | undefined;

  constructor(chunkCount: number) {
    this.chunkCount = chunkCount;
  }

  get isComplete(): boolean {
    if (this.chunks.length < this.chunkCount || (this.chunkCount > 1 && this.digest === undefined)) return false;
    return this.chunkCount === 0 || this.chunks.at(-1)?.digest !== undefined;
  }
}

/** An entry that waits for its chunks. */
interface Waiting {
  /** As JSON. */
  readonly name: string;
  /** What is known from the tar, as JSON with a comma before each field. */
  readonly fields: string;
  readonly content: FileContent | undefined;
}

const FOREIGN_NAME = 'is not UTF-8: mounts show it as it is, other readers of the layer may not';
const WRITE_SIZE = 64 * 1024;

/** Keeps each entry until its chunks are written, then moves it to a spool: so a million of them need no memory. */
export class TocWriter {
  readonly #spool: Spool;
  readonly #chunkDigests: boolean;
  readonly #hash = createHash('sha256');
  readonly #users = new Map<number, string>();
  readonly #groups = new Map<number, string>();
  #waiting: Waiting[] = [];
  #text = '{"version":1,"entries":[';
  #first = true;
  readonly #remarks = new Remarks();
  readonly #placement = new TarPlacement(this.#remarks);

  /** `chunkDigests`: legacy stargz has none. */
  constructor(spool: Spool, chunkDigests: boolean) {
    this.#spool = spool;
    this.#chunkDigests = chunkDigests;
  }

  /** Adds an entry of the tar; a file's `content` may be filled in later. Throws LayerFault for what no mount can show. */
  add(entry: TarEntry, content?: FileContent): void {
    const { fields } = this.#placement.place(entry);
    const { name, ...others } = fields;
    if (!String(name).isWellFormed()) this.#remarks.add(FOREIGN_NAME, String(name));
    const owners = {
      userName: firstUse(this.#users, entry.uid, entry.userName),
      groupName: firstUse(this.#groups, entry.gid, entry.groupName),
    };
    const text = Object.entries({ ...others, ...owners }).map(([key, value]) => field(key, value));
    this.#waiting.push({ name: JSON.stringify(name), fields: text.join(''), content });
  }

  /** Writes the entries whose members are written. */
  async flush(): Promise<void> {
    let done = 0;
    for (const entry of this.#waiting) {
      if (entry.content && !entry.content.isComplete) break;
      this.#write(entry);
      done++;
      if (this.#text.length >= WRITE_SIZE) await this.#spill();
    }
    if (done > 0) this.#waiting = this.#waiting.slice(done);
  }

  /** Writes the end; resolves to the SHA-256 of the JSON, in hexadecimal digits. */
  async finish(): Promise<string> {
    await this.flush();
    this.#placement.end();
    if (this.#waiting.length > 0) throw new Error('the TOC ends before its chunks are written');
    this.#text += ']}';
    await this.#spill();
    return this.#hash.digest('hex');
  }

  /** What a person should know of the entries. */
  warnings(): string[] {
    return this.#remarks.list();
  }

  release(): void {
    this.#placement.release();
  }

  #write({ name, fields, content }: Waiting): void {
    const [first, ...others] = content?.chunks ?? [];
    const digest = content && `sha256:${content.digest ?? first?.digest ?? EMPTY_HEX}`;
    this.#record(`{"name":${name}${fields}${field('digest', digest)}${this.#place(first, content)}}`);
    for (const chunk of others) this.#record(`{"name":${name},"type":"chunk"${this.#place(chunk, content)}}`);
  }

  /** The fields that say where a chunk is; a file in one chunk, and a last chunk, need no size. */
  #place(chunk: Chunk | undefined, content: FileContent | undefined): string {
    if (!chunk) return '';
    const offsets = field('offset', chunk.offset) + field('innerOffset', chunk.innerOffset);
    const size = chunk === content?.chunks.at(-1) ? 0 : chunk.size;
    const digest = this.#chunkDigests ? field('chunkDigest', `sha256:${chunk.digest}`) : '';
    return offsets + field('chunkOffset', chunk.fileOffset) + field('chunkSize', size) + digest;
  }

  #record(json: string): void {
    if (json.length > JSON_VALUE_LIMIT)
      throw new LayerFault(`the entry ${quote(json.slice(0, 100))} is too large for a TOC`);
    this.#text += this.#first ? `\n${json}` : `,\n${json}`;
    this.#first = false;
  }

  /** Moves the text to the spool. */
  async #spill(): Promise<void> {
    const bytes = Buffer.from(this.#text);
    this.#text = '';
    this.#hash.update(bytes);
    await this.#spool.append(bytes);
  }
}

/** Names of users and groups stand where their number comes first, or the name changes. */
function firstUse(names: Map<number, string>, id: number, name: string): string {
  if (name === '' || names.get(id) === name) return '';
  names.set(id, name);
  return name;
}

/** A field of an object behind others, as JSON. Zero and empty values are left out. */
function field(key: string, value: unknown): string {
  return value === undefined || value === 0 || value === '' ? '' : `,"${key}":${JSON.stringify(value)}`;
}
