// SPDX-License-Identifier: GPL-3.0-or-later

import type { AttachedIndex } from '../attached/indexes.js';
import type { BlobSource } from '../blob/source.js';
import type { LayerSource } from '../sources/open.js';

/** A layer that can be opened, in a file or far away. */
export interface AnyLayerSource extends Omit<LayerSource, 'open'> {
  /** Of the file that it is. */
  readonly path?: string;
  /** Where its index may be, if it has no TOC, that is attached to its image. */
  readonly indexed?: IndexedLayer;
  open(): Promise<BlobSource>;
}

export interface IndexedLayer {
  /** Under which the cache has the index. */
  readonly identity: string;
  /** Resolves to undefined where none is attached, or the registry does not say so in time. */
  find(): Promise<AttachedIndex | undefined>;
}

export interface FoundImage {
  /** What a person calls it, in full: an image in a registry with its tag. */
  readonly name: string;
  /** The configuration that leads to the very same layers again. */
  readonly resolved: string;
  /** Why its name stands for what it stood for last: its registry does not answer. One line. */
  readonly stale?: string;
  /** Its layers are no files of their own: it is not mounted. */
  readonly isArchive?: true;
  /** Of the manifest, where there is one. */
  readonly digest?: string;
  /** The base layer first. */
  readonly layers: readonly AnyLayerSource[];
  /** The image's config; none for what is no image. */
  config(): Promise<Buffer | undefined>;
  /** The digests of the uncompressed layers by the image's config; none for what is no image. */
  diffIds(): Promise<readonly string[]>;
}
