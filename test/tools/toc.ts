// SPDX-License-Identifier: GPL-3.0-or-later

/** Layers of a TOC and nothing else, and their indexes: enough for all that never reads a file's content. */

import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import type { ExecutionContext } from 'ava';
import { pack } from 'tar-stream';
import type { BlobSource } from '../../src/main/blob/source.js';
import { GZIP } from '../../src/main/formats/codec.js';
import type { Layer } from '../../src/main/formats/format.js';
import { readEntries } from '../../src/main/formats/json-toc/read.js';
import { buildIndex, type IndexSummary } from '../../src/main/index/build.js';
import { indexMemory } from '../../src/main/index/memory.js';
import { IndexReader } from '../../src/main/index/reader.js';
import { buildBoth } from './native-index.js';

export type Fields = Readonly<Record<string, unknown>>;

/** Where the TOC starts in the blobs made here, unless told otherwise. */
export const TOC_OFFSET = 1_000_000;

export function sha256(content: string): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

/** A blob of which only the last bytes exist; nothing else of it may be read. */
export function tailSource(tail: Uint8Array, tocOffset = TOC_OFFSET, name = 'layer'): BlobSource {
  return {
    name,
    size: tocOffset + tail.length,
    read: async (offset, length) => {
      if (offset < tocOffset || offset + length > tocOffset + tail.length) {
        throw new RangeError(`read of ${length} bytes at ${offset}`);
      }
      return tail.subarray(offset - tocOffset, offset - tocOffset + length);
    },
    close: async () => {},
  };
}

const FOOTER_HEAD = Buffer.from('1f8b08040000000000ff', 'hex');
const FOOTER_TAIL = Buffer.from('010000ffff0000000000000000', 'hex');

/** A footer whose extra field is this. */
export function footer(extra: string): Buffer {
  const field = Buffer.from(extra, 'latin1');
  return Buffer.concat([FOOTER_HEAD, Buffer.from([field.length, 0]), field, FOOTER_TAIL]);
}

export function estargzFooter(tocOffset = TOC_OFFSET): Buffer {
  return footer(`SG\x16\x00${tocOffset.toString(16).padStart(16, '0')}STARGZ`);
}

/** A layer whose TOC is this JSON text. */
export function layerOf(json: AsyncIterable<Uint8Array>, contentEnd = TOC_OFFSET): Layer {
  const entries: Layer['entries'] = (add) => readEntries(json, add);
  return { name: 'layer', kind: 'estargz', codec: GZIP, contentEnd, toc: undefined, entries };
}

/** A tar of these files. */
export function tarOf(files: readonly (readonly [name: string, content: string | Buffer])[]): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of files) tar.entry({ name }, content);
  tar.finalize();
  return buffer(tar);
}

/** An eStargz blob with this text as its TOC. */
export async function blobOf(json: string | Buffer, tocOffset = TOC_OFFSET): Promise<BlobSource> {
  const toc = gzipSync(await tarOf([['stargz.index.json', json]]));
  return tailSource(Buffer.concat([toc, estargzFooter(tocOffset)]), tocOffset);
}

export function tocJson(entries: readonly Fields[]): string {
  return JSON.stringify({ version: 1, entries });
}

export interface Indexed {
  readonly index: IndexReader;
  readonly bytes: Buffer;
  readonly summary: IndexSummary;
}

/** Indexes a blob, natively too, which must come to the same. */
export async function indexBlob(t: ExecutionContext, source: BlobSource, blobIdentity = 'blob'): Promise<Indexed> {
  return await indexed(t, (path) => buildBoth(source, path, blobIdentity));
}

/** Indexes a layer. */
export async function indexLayer(t: ExecutionContext, layer: Layer): Promise<Indexed> {
  return await indexed(t, (path) => buildIndex({ layer, path, memoryLimit: indexMemory(0), blobIdentity: 'blob' }));
}

/** buildIndex itself holds what it has made against the check of the plugin. */
async function indexed(t: ExecutionContext, build: (path: string) => Promise<IndexSummary>): Promise<Indexed> {
  const place = mkdtempSync(join(tmpdir(), 'crfs-index-'));
  t.teardown(() => rmSync(place, { recursive: true }));
  const path = join(place, 'index');
  const summary = await build(path);
  const bytes = readFileSync(path);
  return { index: new IndexReader(bytes), bytes, summary };
}

/** Indexes a layer of these entries. */
export async function indexOf(t: ExecutionContext, entries: readonly Fields[], tocOffset?: number): Promise<Indexed> {
  return indexBlob(t, await blobOf(tocJson(entries), tocOffset));
}

/** A regular file of one chunk at this place of the blob. */
export function file(name: string, offset: number, content = name, more: Fields = {}): Fields {
  return { name, type: 'reg', size: content.length, offset, digest: sha256(content), ...more };
}

export function directory(name: string, more: Fields = {}): Fields {
  return { name, type: 'dir', ...more };
}
