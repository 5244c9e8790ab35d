// SPDX-License-Identifier: GPL-3.0-or-later

/** Converts one layer: a tar in, a layer in one of the forms out, both as streams. */

import { createHash } from 'node:crypto';
import type { BlobSink } from '../blob/sink.js';
import { Spool } from '../blob/spool.js';
import { decompress } from '../compression/decompress.js';
import { namingBlob } from '../formats/fault.js';
import { padding } from '../tar/header.js';
import type { Deflater } from './deflater.js';
import type { LayerForm, OutputFormat, TarParts } from './form.js';
import { formOf } from './forms.js';
import { MemberWriter } from './members.js';
import { type Item, inTarOrder, prioritized, type Seen } from './order.js';
import { Matcher } from './patterns.js';
import { Remarks } from './remarks.js';
import { FileContent, TocWriter } from './toc.js';

export const DEFAULT_CHUNK_SIZE = 4 * 1024 * 1024;

export interface LayerOptions {
  /** What to call the layer in messages. */
  readonly name: string;
  readonly deflater: Deflater;
  readonly format?: OutputFormat;
  /** Bytes of a file per member, 4 MiB if left out. */
  readonly chunkSize?: number;
  /** Small files share a member until it has this many bytes; 0, none do, if left out. */
  readonly minChunkSize?: number;
  /** Paths, or glob patterns, of what is wanted first, in order. Makes a copy of the tar on disk. */
  readonly prioritize?: readonly string[];
  /** The same by paths from the root, as a profile has them, of this layer and of others. */
  readonly startOrder?: readonly string[];
  /** Nobody has cut the input, which a digest shows: it may be empty then, or lack a tar's end. */
  readonly isWhole?: boolean;
}

export interface LayerResult {
  /** `sha256:` and hexadecimal digits, of the blob. */
  readonly digest: string;
  /** Of what the blob inflates to. */
  readonly diffId: string;
  /** What manifests name the TOC by: of its JSON, with zstd:chunked of the frames that hold it. */
  readonly tocDigest: string;
  /** What its descriptor in a manifest is to say for readers. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly size: number;
  readonly uncompressedSize: number;
  readonly entries: number;
  /** What a person should know of entries that mounts show in another way than the tar says. */
  readonly warnings: readonly string[];
  /** Prioritized paths and patterns that match nothing in the layer. */
  readonly unmatched: readonly string[];
}

/**
 * Converts a tar, as it is or compressed with gzip or zstd, and writes the layer to `sink` as it comes.
 * Needs memory for a few chunks per worker, whatever the size of the layer. Rejects with CRFS_BAD_LAYER for input that is
 * no tar, corrupt or truncated; what `sink` has got by then is worthless.
 */
export async function convertLayer(
  input: AsyncIterable<Uint8Array>,
  sink: BlobSink,
  options: LayerOptions,
): Promise<LayerResult> {
  const remarks = new Remarks();
  const form = await formOf(options.format ?? 'estargz', options.deflater, remarks);
  try {
    const spool = await Spool.create();
    const toc = new TocWriter(spool, form.dialect, remarks);
    try {
      const result = await namingBlob(options.name, () => convert(input, sink, { form, spool, toc }, options));
      return { ...result, warnings: remarks.list() };
    } finally {
      toc.release();
      await spool.close();
    }
  } finally {
    await form.close();
  }
}

async function convert(
  input: AsyncIterable<Uint8Array>,
  sink: BlobSink,
  { form, spool, toc }: { readonly form: LayerForm; readonly spool: Spool; readonly toc: TocWriter },
  options: LayerOptions,
): Promise<Omit<LayerResult, 'warnings'>> {
  const { landmarks, endsAtChunks, parts } = form;
  const { chunkSize = DEFAULT_CHUNK_SIZE, minChunkSize = 0, isWhole = false } = options;
  const members = new MemberWriter(options.deflater, sink, { chunkSize, minChunkSize, endsAtChunks });
  const seen: Seen = { unmatched: [], tail: 0 };
  const tar = decompress(input);
  const order = { landmarks, isWhole };
  const first = firstOf(options);
  const items = first ? prioritized(tar, first, order, seen) : inTarOrder(tar, order, seen);
  let entries = 0;
  let flushed = 0; // what was written when the TOC was last flushed
  for await (const item of items) {
    entries++;
    const { headers, type, size } = item.entry;
    const file = type === 'file' ? new FileContent(Math.ceil(size / chunkSize)) : undefined;
    toc.add(item.entry, file);
    await parts.header(item.entry);
    for (const bytes of headers) await members.write(bytes);
    if (file) await writeContent(members, parts, file, item, chunkSize);
    if (members.written !== flushed) await toc.flush();
    flushed = members.written;
  }
  const { tocDigest, annotations } = await form.end(members, toc, spool, seen.tail);
  const { tar: diffId, blob } = members.digests();
  return {
    digest: `sha256:${blob}`,
    diffId: `sha256:${diffId}`,
    tocDigest,
    annotations,
    size: members.written,
    uncompressedSize: members.uncompressed,
    entries,
    unmatched: seen.unmatched,
  };
}

function firstOf({ prioritize, startOrder }: LayerOptions): Matcher | undefined {
  if (prioritize) return new Matcher(prioritize);
  return startOrder && new Matcher(startOrder, false);
}

async function writeContent(
  members: MemberWriter,
  parts: TarParts,
  file: FileContent,
  item: Item,
  chunkSize: number,
): Promise<void> {
  const { size } = item.entry;
  const hash = file.chunkCount > 1 ? createHash('sha256') : undefined;
  let at = 0;
  let chunkEnd = 0;
  for await (const piece of item.content) {
    hash?.update(piece);
    parts.content(piece);
    for (let rest = piece; rest.length > 0; ) {
      if (at === chunkEnd) {
        chunkEnd = Math.min(at + chunkSize, size);
        file.chunks.push(await members.startChunk(at, chunkEnd - at, item.alone));
      }
      const part = rest.subarray(0, chunkEnd - at);
      await members.write(part);
      at += part.length;
      rest = rest.subarray(part.length);
    }
  }
  file.digest = hash?.digest('hex');
  await parts.filling(padding(size));
  await members.write(padding(size));
}
