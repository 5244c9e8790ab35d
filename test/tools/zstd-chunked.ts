// SPDX-License-Identifier: GPL-3.0-or-later

/** Layers in zstd:chunked, put together piece by piece: also as no program would. skopeo writes those that one does. */

import { readFileSync } from 'node:fs';
import { Layout, types } from '../convert/layout.js';
import { handMade, skippable, zstd } from './compressed-stream.js';
import { sha256 } from './read-layer.js';
import { run } from './run.js';
import { type Fields, tocJson } from './toc.js';

export interface ZstdChunked {
  readonly blob: Buffer;
  /** Where its TOC is, as manifests write it; and their digest of it. */
  readonly position: string;
  readonly digest: string;
}

export interface ZstdChunkedOptions {
  /** The TOC as it stands in the blob; default: the JSON, compressed. */
  readonly toc?: Buffer;
  /** Bytes of the JSON, as they are stated. */
  readonly length?: number;
  readonly type?: number;
  /** Of which age the footer is; default: as it is written today. */
  readonly footer?: 'today' | 'old' | 'none';
}

/** A frame of this content as it is, in blocks of up to 128 KiB: made in no time, whatever its size. */
export function frame(content: Buffer): Buffer {
  const blocks = [];
  for (let at = 0; at < content.length || at === 0; at += 1 << 17) blocks.push(content.subarray(at, at + (1 << 17)));
  return handMade(blocks);
}

/** A layer of this content, frames mostly, and a TOC. */
export function zstdChunked(
  content: Buffer,
  json: string,
  {
    toc = zstd(Buffer.from(json)),
    length = Buffer.byteLength(json),
    type = 1,
    footer = 'today',
  }: ZstdChunkedOptions = {},
): ZstdChunked {
  const start = content.length + 8;
  const tarSplit = Buffer.from('no reader of layers looks at this');
  const words = [start, toc.length, length, type];
  const end: Buffer[] = [];
  if (footer === 'old') end.push(footerOf(words, 'GnUlInUx'));
  if (footer === 'today') {
    const more = [start + toc.length + 8, tarSplit.length, tarSplit.length];
    end.push(skippable(tarSplit), footerOf([...words, ...more], 'GNUlInUx'));
  }
  return {
    blob: Buffer.concat([content, skippable(toc), ...end]),
    position: words.join(':'),
    digest: sha256(toc),
  };
}

function footerOf(words: readonly number[], magic: string): Buffer {
  const bytes = Buffer.alloc(words.length * 8 + magic.length);
  words.forEach((word, n) => {
    bytes.writeBigUInt64LE(BigInt(word), n * 8);
  });
  bytes.write(magic, words.length * 8);
  return skippable(bytes);
}

/** What a file of a layer is made of: chunks of content, or zeros for which no byte stands in the blob. */
export type Chunk = Buffer | { readonly zeros: number };

/** A layer of these files, each chunk in a frame of its own. */
export function filesInZstd(
  files: Readonly<Record<string, readonly Chunk[]>>,
  { compress = frame, ...options }: ZstdChunkedOptions & { readonly compress?: (content: Buffer) => Buffer } = {},
): ZstdChunked & { readonly entries: readonly Fields[] } {
  const parts: Buffer[] = [frame(Buffer.alloc(512))]; // as far as a tar's headers matter
  const entries: Fields[] = [];
  for (const [name, chunks] of Object.entries(files)) {
    const whole = Buffer.concat(chunks.map((chunk) => contentOf(chunk)));
    let at = 0;
    const own = chunks.map((chunk): Fields => {
      const content = contentOf(chunk);
      const place = Buffer.concat(parts).length;
      if (!('zeros' in chunk)) parts.push(compress(chunk));
      const fields = {
        ...('zeros' in chunk ? { chunkType: 'zeros' } : { offset: place }),
        chunkOffset: at,
        chunkSize: content.length,
        chunkDigest: sha256(content),
      };
      at += content.length;
      return fields;
    });
    const endOffset = Buffer.concat(parts).length;
    const [first = {}, ...others] = own;
    const file = { type: 'reg', name, mode: 0o644, size: whole.length, digest: sha256(whole), endOffset };
    entries.push({ ...file, ...first }, ...others.map((fields) => ({ type: 'chunk', name, ...fields })));
    parts.push(frame(Buffer.alloc(512)));
  }
  return { ...zstdChunked(Buffer.concat(parts), tocJson(entries), options), entries };
}

function contentOf(chunk: Chunk): Buffer {
  return 'zeros' in chunk ? Buffer.alloc(chunk.zeros) : chunk;
}

/** A layer of an image: its blob, and what manifest and config say of it. */
export interface LayoutLayer {
  readonly mediaType: string;
  readonly bytes: Buffer;
  readonly annotations?: Record<string, string>;
  readonly diffId: string;
}

/** An image of these layers, the base first, tagged `1` in a new OCI layout. */
export function layoutOf(directory: string, layers: readonly LayoutLayer[]): void {
  const layout = new Layout(directory);
  const config = layout.putJson(types.config, {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ created_by: 'a test' })),
  });
  const descriptors = layers.map(({ mediaType, bytes, annotations }) => ({
    ...layout.put(mediaType, bytes),
    ...(annotations && { annotations }),
  }));
  const manifest = { schemaVersion: 2, mediaType: types.manifest, config, layers: descriptors };
  layout.index({ 1: layout.putJson(types.manifest, manifest) });
}

/** Has skopeo push tars as layers in zstd:chunked to `HOST/NAME:TAG`; `directory` is a new one to make things in. */
export async function pushZstdChunked(tars: readonly string[], target: string, directory: string): Promise<void> {
  layoutOf(
    directory,
    tars.map((tar) => {
      const bytes = readFileSync(tar);
      return { mediaType: 'application/vnd.oci.image.layer.v1.tar', bytes, diffId: sha256(bytes) };
    }),
  );
  const how = ['--dest-tls-verify=false', '--dest-compress-format=zstd:chunked'];
  await run('skopeo', ['--insecure-policy', 'copy', '-q', ...how, `oci:${directory}:1`, `docker://${target}`]);
}
