// SPDX-License-Identifier: GPL-3.0-or-later

import type { BlobSource } from '../blob/source.js';
import type { LayerSource } from '../sources/open.js';

/** A layer that can be opened, in a file or far away. */
export interface AnyLayerSource extends Omit<LayerSource, 'open'> {
  /** Of the file that it is. */
  readonly path?: string;
  open(): Promise<BlobSource>;
}

export interface FoundImage {
  /** The configuration that leads to the very same layers again. */
  readonly resolved: string;
  /** Why its name stands for what it stood for last: its registry does not answer. One line. */
  readonly stale?: string;
  /** Of the manifest, where there is one. */
  readonly digest?: string;
  /** The base layer first. */
  readonly layers: readonly AnyLayerSource[];
  /** The image's config; none for what is no image. */
  config(): Promise<Buffer | undefined>;
  /** The digests of the uncompressed layers by the image's config; none for what is no image. */
  diffIds(): Promise<readonly string[]>;
}
