// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, fstatSync } from 'node:fs';
import type { HeldFile } from '../blob/held-file.js';
import type { BlobSource } from '../blob/source.js';
import { tocOf } from '../disk/cache-layout.js';
import type { LayerFormat } from '../formats/format.js';
import { recognise } from '../formats/recognise.js';
import { fileSource } from '../sources/file.js';
import type { LayerSource } from '../sources/open.js';
import { BlobFile } from './blob-file.js';
import type { Blocks } from './blocks.js';
import { type Arrival, Fetcher } from './fetcher.js';
import { Link } from './link.js';
import type { Traffic } from './traffic.js';

/** The blob of a layer, as the workers read it: a file, all of which may not be there yet. */
export interface LayerBlob {
  readonly fd: number;
  readonly size: number;
  /** Where the blob is fetched as it is needed. */
  readonly remote?: Remote;
  /**
   * Brings in what reading the TOC needs: where it is, or the end of the blob; all of it, where it has a format of `others`.
   * Resolves to the blob of a TOC that is kept elsewhere.
   */
  prepareToc(others: readonly LayerFormat[]): Promise<LayerBlob | undefined>;
  close(): Promise<void>;
}

export interface Remote {
  readonly file: BlobFile;
  readonly fetcher: Fetcher;
  readonly link: Link;
  readonly blocks: Blocks;
}

/** The footer, and most TOCs. */
const TAIL = 1 << 20;

/** A layer in a file that the mount has opened. */
export function localBlob(held: HeldFile): LayerBlob {
  const fd = held.take();
  return {
    fd,
    size: fstatSync(fd).size,
    prepareToc: async () => undefined,
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
  const file = BlobFile.open(path, source.size);
  const link = new Link();
  const fetcher = new Fetcher(source, file, link, traffic, arrived);
  const { fd, size, blocks } = file;
  const { tocPosition } = layer;
  const bring = async (start: number, end: number): Promise<void> =>
    await traffic.demand(async () => await fetcher.prefetch(start, end, 'toc'));
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
    remote: { file, fetcher, link, blocks },
    prepareToc: async (others) => {
      if (tocPosition === undefined) await bring(Math.max(0, size - TAIL), size);
      const { toc } = await recognise(arriving, tocPosition, others);
      if (toc === undefined) return await tocBlob(layer, tocOf(path), traffic);
      await bring(toc.start, toc.end);
      return undefined;
    },
    close: () => fetcher.close(),
  };
}

async function tocBlob(layer: LayerSource, path: string, traffic: Traffic): Promise<LayerBlob | undefined> {
  const source = await layer.openToc();
  if (source === undefined) return undefined;
  const open = async (): Promise<typeof source> => source;
  const blob = await remoteBlob({ ...layer, open }, path, traffic, () => undefined);
  await traffic.demand(async () => await blob.remote?.fetcher.prefetch(0, blob.size, 'toc'));
  return blob;
}
