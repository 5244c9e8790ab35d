// SPDX-License-Identifier: GPL-3.0-or-later

import { fstatSync } from 'node:fs';
import { addon } from '../../native/addon.js';
import type { Layer } from '../formats/format.js';
import type { IndexRequest, IndexSummary } from './build.js';

export interface NativeRequest extends Pick<IndexRequest, 'path' | 'memoryLimit' | 'blobIdentity'> {
  readonly layer: Layer;
  /** Open on the blob that holds the TOC: the layer's own, or the other one. */
  readonly tocFd: number;
}

/**
 * Makes the index that buildIndex would make, byte for byte, in a tenth of the time: by code that needs no warming up. It
 * takes layers as nearly all are. undefined, and no file: buildIndex is to make the index of this one, or to say what is wrong.
 */
export async function buildNatively(
  request: NativeRequest,
): Promise<(IndexSummary & { readonly indexDigest: string }) | undefined> {
  const { layer, tocFd, path, memoryLimit, blobIdentity } = request;
  if (!layer.isTarToc) return undefined;
  const { codec, contentEnd, kind } = layer;
  const summary = await addon.makeIndex({
    fd: tocFd,
    ...(layer.toc ?? { start: 0, end: fstatSync(tocFd).size }),
    contentEnd,
    codec: codec.number,
    expansion: codec.expansion,
    memoryLimit,
    path,
    identity: blobIdentity,
  });
  return summary === null ? undefined : { ...summary, kind, tocOffset: contentEnd };
}
