// SPDX-License-Identifier: GPL-3.0-or-later

/** The TOC's JSON, written as the layer is: eStargz specification, "TOC". */

import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { Spool } from '../blob/spool.js';
import { quote } from '../formats/fault.js';
import type { TarEntry } from '../tar/entry.js';
import { cleanName } from '../tar/names.js';
import type { Chunk } from './members.js';

const tocTypes = {
  file: 'reg',
  directory: 'dir',
  symlink: 'symlink',
  hardlink: 'hardlink',
  char: 'char',
  block: 'block',
  fifo: 'fifo',
} as const;

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

interface Waiting {
  /** As JSON. */
  readonly name: string;
  /** What is known from the tar, as JSON with a comma before each field. */
  readonly fields: string;
  readonly content: FileContent | undefined;
}

const emptyDigest = createHash('sha256').digest('hex');
const writeSize = 64 * 1024;

/** Entries wait in it until their chunks are written, and go on to a spool then: a million of them need no memory. */
export class TocWriter {
  readonly #spool: Spool;
  readonly #chunkDigests: boolean;
  readonly #hash = createHash('sha256');
  readonly #users = new Map<number, string>();
  readonly #groups = new Map<number, string>();
  #waiting: Waiting[] = [];
  #text = '{"version":1,"entries":[';
  #first = true;
  #lossyNames = 0;
  #lossyName = '';

  /** `chunkDigests`: legacy stargz has none. */
  constructor(spool: Spool, chunkDigests: boolean) {
    this.#spool = spool;
    this.#chunkDigests = chunkDigests;
  }

  /** Adds an entry of the tar; a file's `content` may be filled in later. Throws LayerFault for a name with `..`. */
  add(entry: TarEntry, content?: FileContent): void {
    const { type, name, linkName, size, mode, uid, gid, devMajor, devMinor } = entry;
    const clean = cleanName(this.#utf8(name));
    const link = this.#utf8(linkName);
    const fields = [
      field('type', tocTypes[type]),
      field('size', size),
      field('modtime', formatTime(entry.mtime)),
      field('linkName', type === 'hardlink' ? cleanName(link) : link),
      field('mode', mode),
      field('uid', uid),
      field('gid', gid),
      field('userName', firstUse(this.#users, uid, entry.userName)),
      field('groupName', firstUse(this.#groups, gid, entry.groupName)),
      field('devMajor', devMajor),
      field('devMinor', devMinor),
      xattrsField(entry.xattrs),
    ].join('');
    this.#waiting.push({ name: JSON.stringify(type === 'directory' ? `${clean}/` : clean), fields, content });
  }

  /** Writes the entries whose members are written. */
  async flush(): Promise<void> {
    let done = 0;
    for (const entry of this.#waiting) {
      if (entry.content && !entry.content.isComplete) break;
      this.#write(entry);
      done++;
      if (this.#text.length >= writeSize) await this.#spill();
    }
    if (done > 0) this.#waiting = this.#waiting.slice(done);
  }

  /** Writes the end; resolves to the SHA-256 of the JSON, in hexadecimal digits. */
  async finish(): Promise<string> {
    await this.flush();
    if (this.#waiting.length > 0) throw new Error('the TOC ends before its chunks are written');
    this.#text += ']}';
    await this.#spill();
    return this.#hash.digest('hex');
  }

  /** What the JSON could not hold. */
  warnings(): string[] {
    if (this.#lossyNames === 0) return [];
    const example = quote(this.#lossyName);
    return [`${this.#lossyNames} names are not UTF-8, and mounts show them changed, as in ${example}`];
  }

  #write({ name, fields, content }: Waiting): void {
    const [first, ...others] = content?.chunks ?? [];
    const digest = content && `sha256:${content.digest ?? first?.digest ?? emptyDigest}`;
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
    this.#text += this.#first ? `\n${json}` : `,\n${json}`;
    this.#first = false;
  }

  async #spill(): Promise<void> {
    const bytes = Buffer.from(this.#text);
    this.#text = '';
    this.#hash.update(bytes);
    await this.#spool.append(bytes);
  }

  #utf8(bytes: Buffer): string {
    const text = bytes.toString();
    if (!isUtf8(bytes)) {
      this.#lossyName = text;
      this.#lossyNames++;
    }
    return text;
  }
}

/** Names of users and groups stand where their number comes first, or the name changes. */
function firstUse(names: Map<number, string>, id: number, name: string): string {
  if (name === '' || names.get(id) === name) return '';
  names.set(id, name);
  return name;
}

/** A field of an object behind others, as JSON. Zero and empty values are left out. */
function field(key: string, value: string | number | undefined): string {
  return value === undefined || value === 0 || value === '' ? '' : `,"${key}":${JSON.stringify(value)}`;
}

function xattrsField(xattrs: ReadonlyMap<string, Buffer>): string {
  if (xattrs.size === 0) return '';
  const values = [...xattrs].map(([name, value]) => [name, value.toString('base64')]);
  return `,"xattrs":${JSON.stringify(Object.fromEntries(values))}`;
}

const earliest = Date.parse('0000-01-01T00:00:00Z') / 1000;
const latest = Date.parse('9999-12-31T23:59:59Z') / 1000;

/** RFC 3339 in UTC, with as many digits of the second as it takes; empty for 1970. Times beyond its four-digit years are cut. */
export function formatTime(time: TarEntry['mtime']): string {
  if (time.seconds === 0 && time.nanoseconds === 0) return '';
  const seconds = Math.min(Math.max(time.seconds, earliest), latest);
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
  const fraction = String(time.nanoseconds).padStart(9, '0').replace(/0+$/, '');
  return fraction === '' ? `${whole}Z` : `${whole}.${fraction}Z`;
}
