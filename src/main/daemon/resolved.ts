// SPDX-License-Identifier: GPL-3.0-or-later

/** What the configurations of mounts lead to. */

import type { AttachedIndex } from '../attached/indexes.js';
import type { BlobRecord } from '../cache/records.js';
import type { Arrival } from '../fetch/fetcher.js';
import type { LayerBlob } from '../fetch/layer-blob.js';
import type { Traffic } from '../fetch/traffic.js';
import type { LazyName } from '../plain/lazy-names.js';
import type { Profile } from '../profile/profile.js';
import type { ClientLease } from './clients.js';

/** One layer of what a configuration names. */
export interface ResolvedLayer {
  /** What to call it in messages. */
  readonly name: string;
  /** Says which bytes the blob has: equal identities, equal bytes. */
  readonly identity: string;
  /** Mounts use a layer together where this is equal: then they get at its bytes in the same way. */
  readonly shareKey: string;
  /** Of its blob, where a manifest names it. */
  readonly digest?: string;
  /** The digest that its TOC must have, where the manifest says so; hex. */
  readonly tocDigest?: string;
  /** Where its TOC is, where the manifest says so. */
  readonly tocPosition?: string;
  /** Where its image is named so that an index may be taken which is attached to that. */
  readonly indexed?: IndexedLayer;
  /** The key of the index that a mount has seen of it, with an earlier daemon; hex. */
  readonly seen?: string;
  /** `arrived` is told what comes over the network. */
  openBlob(traffic: Traffic, arrived: Arrival): Promise<LayerBlob>;
}

/** A layer by an index that is attached to its image. */
export interface IndexedLayer {
  /** What its record is kept by. */
  readonly identity: string;
  /** Has the image's registry asked what is attached. */
  begin(): void;
  /** Resolves to undefined where there is no index of the layer. Rejects with what is wrong with the registry or what is attached, and with the signal's reason. */
  find(signal: AbortSignal): Promise<AttachedIndex | undefined>;
}

/** What a store is told of a layer, beside what mounts are. */
export interface Stored {
  /** Bytes of the blob. */
  readonly size: number;
  /** The JSON for containers-storage; `contentSize` as of the layer's record. */
  describe(contentSize: number): string;
  /** Notes that it is used once more, or once less, by the configuration `asked`. Resolves to how often it is. */
  refer(asked: string, layer: { readonly identity: string; readonly record: BlobRecord }, by: 1 | -1): Promise<number>;
}

/** An image in a registry. */
export interface NamedImage {
  /** Of its manifest. */
  readonly digest: string;
  /** The profile that is attached to it; undefined: none was found. Rejects with what is wrong with it or its registry, and the signal's reason. */
  readonly attached: (signal: AbortSignal) => Promise<Profile | undefined>;
}

/** What a configuration stands for now. */
export interface Resolved {
  /** The configuration that leads to the very same layers again. */
  readonly text: string;
  /** Why its name stands for what it stood for last: its registry does not answer. One line. */
  readonly stale?: string;
  /** Of an image in a registry. */
  readonly image?: NamedImage;
  /** The base layer first, as manifests list them. */
  readonly layers: readonly ResolvedLayer[];
  /** Others that will be asked for next. */
  readonly siblings?: readonly ResolvedLayer[];
  /** What becomes of its layers that have no TOC, whatever the mount wants otherwise. */
  readonly lazy?: LazyName;
  /** Of the only layer, if it is for a store. */
  readonly stored?: Stored;
}

/** Who asks. */
export interface Asking {
  readonly lease: ClientLease;
  /** The mount was accepted before: no policy is asked. */
  readonly trusted: boolean;
}
