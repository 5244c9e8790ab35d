// SPDX-License-Identifier: GPL-3.0-or-later

/** What a layer format tells of a blob: nothing above this knows one format from another. */

import type { PortableParts } from '../../native/addon.js';
import type { BlobSource } from '../blob/source.js';
import type { Codec } from './codec.js';
import type { Entry } from './entry.js';
import type { Points } from './points.js';

export interface LayerFormat {
  /**
   * Whether a blob is of this format, by the bytes that say so; undefined if not.
   * Throws CRFS_BAD_LAYER where it is, and breaks a rule of it.
   */
  recognise(blob: BlobSource): Promise<Layer | undefined>;
}

/** A blob whose format is known. */
export interface Layer {
  /** The blob's name, for messages. */
  readonly name: string;
  /** The format, or a form of it, for people. */
  readonly kind: string;
  readonly codec: Codec;
  /** Where the layer's content ends: every chunk starts before it, and the last ends there. */
  readonly contentEnd: number;
  /** The bytes of the blob that hold the TOC: they are fetched before `entries` is called. undefined: another blob holds it. */
  readonly toc: { readonly start: number; readonly end: number } | undefined;
  /** All of the blob is read for its entries, from its start to its end: that may begin before all of it is here. */
  readonly isStreamed?: true;
  /** Where in the blob all is that so many decoded bytes from `offset` on take, if that is not where something else begins: up to there, or Infinity, its end. */
  readonly endOf?: (offset: number, decoded: number) => number;
  /** Where the blob can be decoded from, where its codec needs to be told that: known as far as `entries` has come. */
  readonly points?: Points;
  /** The TOC is a gzip'ed tar of JSON, which the addon can make an index of by itself. */
  readonly isTarToc?: true;
  /** The blob that holds the TOC is a portable index, of which the addon can do so, too; the TOC lies in [start, end) of it. */
  readonly portable?: PortableParts & { readonly start: number; readonly end: number };
  /**
   * Hands every entry to `add`, in the order of the layer; `elsewhere` is the blob that holds the TOC, where this one does not.
   * Resolves to the sha256 that manifests name the TOC by; a layer that is its own TOC, by its blob's. To be called once. Throws LayerFault where it breaks a rule, and what `add` throws.
   */
  entries(add: (entry: Entry) => void, elsewhere?: BlobSource): Promise<Buffer>;
}
