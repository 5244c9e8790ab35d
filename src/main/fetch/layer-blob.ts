// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, fstatSync } from 'node:fs';
import type { HeldFile } from '../blob/held-file.js';
import type { BlobSource } from '../blob/source.js';
import { tocOf } from '../disk/cache-layout.js';
import { CrfsError } from '../errors/error.js';
import type { LayerFormat } from '../formats/format.js';
import { recognise } from '../formats/recognise.js';
import { fileSource } from '../sources/file.js';
import type { LayerSource } from '../sources/open.js';
import { BlobFile } from './blob-file.js';
import { BLOCK } from './blocks.js';
import { type Arrival, Fetcher } from './fetcher.js';
import { Link } from './link.js';
import type { Remote } from './remote.js';
import { fetchExpected, STREAM } from './start-up.js';
import type { Traffic } from './traffic.js';

/** The blob of a layer, as the workers read it: a file, all of which may not be there yet. */
export interface LayerBlob {
  readonly fd: number;
  readonly size: number;
  /** Where the blob is fetched as it is needed. */
  readonly remote?: Remote;
  /** Brings in what reading the TOC needs: where it is, or the end of the blob. `others`: formats that are tried where it has none. */
  prepareToc(others: readonly LayerFormat[]): Promise<PreparedToc>;
  close(): Promise<void>;
}

/** What the TOC of a layer is read from, where that is not the blob as it is here. */
export interface PreparedToc {
  /** Another blob. */
  readonly elsewhere?: LayerBlob | undefined;
  /** All of the blob, while it comes. */
  readonly coming?: ComingBlob;
}

/** A blob that is read from its start to its end before all of it is here. */
export interface ComingBlob {
  /** Fetches all of it, in its order, until the signal aborts. */
  stream(signal: AbortSignal): Promise<void>;
  /** Resolves when these bytes are in the file. Rejects with what the source rejects with. */
  bring(offset: number, end: number): Promise<void>;
}

/** Of a blob: more takes memory for what is known of its parts, and is no layer that anybody has. */
const MOST_BYTES = 2 ** 42;

/** The end of a blob, so large a part of it within these limits, has the footer and mostly all of the TOC: those of Debian's packages take 1/270. */
const TAIL_PART = 128;
const LEAST_TAIL = 64 << 10;
const MOST_TAIL = 512 << 10;

/** A layer in a file that the mount has opened. */
export function localBlob(held: HeldFile): LayerBlob {
  const fd = held.take();
  return {
    fd,
    size: fstatSync(fd).size,
    prepareToc: async () => ({}),
    close: async () => closeSync(fd),
  };
}

/** A layer at a URL or in a registry, kept at `path` as far as it was fetched. `arrived` is told what comes. */
export async function remoteBlob(
  layer: LayerSource,
  path: string,
  traffic: Traffic,
  arrived: Arrival,
): Promise<LayerBlob> {
  const source = await layer.open();
  if (source.size > MOST_BYTES) {
    await source.close();
    throw new CrfsError('CRFS_BAD_LAYER', `${layer.name}: ${source.size} bytes, more than a layer may have`);
  }
  const file = BlobFile.open(path, source.size);
  const link = new Link();
  const fetcher = new Fetcher(source, file, link, traffic, arrived);
  const { fd, size, blocks } = file;
  const { tocPosition } = layer;
  const bring = async (start: number, end: number): Promise<void> =>
    await traffic.demand(async () => await fetcher.prefetch(start, end, 'toc'));
  const remote = { file, fetcher, link, blocks };
  const coming: ComingBlob = {
    stream: async (signal) =>
      await traffic.demand(
        async () => await fetchExpected([{ remote, offset: 0, end: size }], () => true, signal, STREAM),
      ),
    bring,
  };
  const stored = fileSource(file.fd, layer.name);
  const arriving: BlobSource = {
    name: layer.name,
    size: source.size,
    read: async (offset, length) => {
      await bring(offset, offset + length);
      return await stored.read(offset, length);
    },
    close: async () => undefined,
  };
  return {
    fd,
    size,
    remote,
    prepareToc: async (others) => {
      const tail = tocPosition === undefined ? bring(Math.max(0, size - tailBytes(size)), size) : undefined;
      const head = others.length > 0 ? bring(0, Math.min(BLOCK, size)) : undefined;
      await Promise.all([tail, head]);
      const { toc, isStreamed } = await recognise(arriving, tocPosition, others);
      if (toc === undefined) return { elsewhere: await tocBlob(layer, tocOf(path), traffic) };
      if (isStreamed) return { coming };
      await bring(toc.start, toc.end);
      return {};
    },
    close: () => fetcher.close(),
  };
}

function tailBytes(size: number): number {
  return Math.min(MOST_TAIL, Math.max(LEAST_TAIL, Math.ceil(size / TAIL_PART)));
}

async function tocBlob(layer: LayerSource, path: string, traffic: Traffic): Promise<LayerBlob | undefined> {
  const source = await layer.openToc();
  if (source === undefined) return undefined;
  const open = async (): Promise<typeof source> => source;
  const blob = await remoteBlob({ ...layer, open }, path, traffic, () => undefined);
  await traffic.demand(async () => await blob.remote?.fetcher.prefetch(0, blob.size, 'toc'));
  return blob;
}
