// SPDX-License-Identifier: GPL-3.0-or-later

/** The TOC's JSON, written as the layer is. */

import { createHash } from 'node:crypto';
import type { Spool } from '../blob/spool.js';
import { LayerFault, quote } from '../formats/fault.js';
import { JSON_VALUE_LIMIT } from '../formats/json-toc/value.js';
import type { TarEntry } from '../tar/entry.js';
import type { Chunk } from './members.js';
import type { Remarks } from './remarks.js';
import { type Placed, TarPlacement } from './tar-placement.js';

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

/** How a form of layers has the entries of its TOC. Of the fields, those that are zero or empty are left out. */
export interface TocDialect {
  /** The fields of an entry that come out of the tar, its name among them. */
  fields(entry: TarEntry, placed: Placed): Fields;
  /** The fields of a file that come out of its content, and those of each chunk that has an entry of its own. */
  content(content: FileContent): readonly [own: Fields, ...chunks: Fields[]];
}

export type Fields = Readonly<Record<string, unknown>>;

/** Keeps each entry until its chunks are written, then moves it to a spool: so a million of them need no memory. */
export class TocWriter {
  readonly #spool: Spool;
  readonly #dialect: TocDialect;
  readonly #remarks: Remarks;
  readonly #placement: TarPlacement;
  readonly #hash = createHash('sha256');
  #waiting: Waiting[] = [];
  #text = '{"version":1,"entries":[';
  #first = true;

  /** `remarks` takes what a person should know of the entries. */
  constructor(spool: Spool, dialect: TocDialect, remarks: Remarks) {
    this.#spool = spool;
    this.#dialect = dialect;
    this.#remarks = remarks;
    this.#placement = new TarPlacement(remarks);
  }

  /** Adds an entry of the tar; a file's `content` may be filled in later. Throws LayerFault for what no mount can show. */
  add(entry: TarEntry, content?: FileContent): void {
    const { name, ...others } = this.#dialect.fields(entry, this.#placement.place(entry));
    if (!String(name).isWellFormed()) this.#remarks.add(FOREIGN_NAME, String(name));
    this.#waiting.push({ name: JSON.stringify(name), fields: textOf(others), content });
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

  /** Writes the end, with fields behind the entries; resolves to the SHA-256 of the JSON, in hexadecimal digits. */
  async finish(fields: Fields = {}): Promise<string> {
    await this.flush();
    this.#placement.end();
    if (this.#waiting.length > 0) throw new Error('the TOC ends before its chunks are written');
    this.#text += `]${textOf(fields)}}`;
    await this.#spill();
    return this.#hash.digest('hex');
  }

  release(): void {
    this.#placement.release();
  }

  #write({ name, fields, content }: Waiting): void {
    const [own, ...chunks] = content ? this.#dialect.content(content) : [{}];
    this.#record(`{"name":${name}${fields}${textOf(own)}}`);
    for (const chunk of chunks) this.#record(`{"name":${name},"type":"chunk"${textOf(chunk)}}`);
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

/** Fields of an object behind others, as JSON. */
function textOf(fields: Fields): string {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined && value !== 0 && value !== '');
  return kept.map(([key, value]) => `,"${key}":${JSON.stringify(value)}`).join('');
}
