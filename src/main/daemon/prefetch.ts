// SPDX-License-Identifier: GPL-3.0-or-later

/** Fetching all of an image without a mount, for `crfs prefetch`, or its indexes alone, for `crfs index`. */

import { CrfsError, type ErrorCode } from '../errors/error.js';
import { isPlain } from '../plain/plain.js';
import type { ClientLease, Clients } from './clients.js';
import { parseIntroduction } from './introduction.js';
import type { OpenLayer, OpenLayers } from './open-layers.js';
import type { Reading } from './reading.js';
import type { ResolvedLayer } from './resolved.js';
import type { Resolver } from './resolver.js';

const TELL_EVERY_MS = 200;

export interface ToPrefetch {
  /** As canonicalConfiguration makes it: an image in a registry, or a URL. */
  readonly configuration: string;
  /** Of whoever asks, as a mount introduces itself: csrc/shared/control.h, HELLO. */
  readonly introduction: string;
  /** No more than the indexes of its layers is wanted, made of what is in them, and not taken from what is attached to the image. */
  readonly indexes?: boolean;
}

/** A layer whose index is in the cache. */
export interface IndexedHere {
  /** Of its blob; null: no manifest names it. */
  readonly digest: string | null;
  /** Of its blob, in bytes. */
  readonly size: number;
  readonly kind: string;
  /** Its TOC is nowhere but in the index. */
  readonly isPlain: boolean;
  /** Names the index: `CacheLayout.index`. */
  readonly key: string;
}

/** What is told while it goes on. The last thing told is `done` or `error`. */
export type Prefetched =
  | { readonly reading: readonly Reading[] }
  | { readonly layers: readonly { readonly name: string; readonly size: number; readonly present: number }[] }
  | { readonly done: Done }
  | { readonly error: { readonly code: ErrorCode; readonly message: string } };

export interface Done {
  readonly resolved: string;
  readonly stale?: string;
  /** The base first. Daemons before there was that leave it out. */
  readonly indexed?: readonly IndexedHere[];
}

export interface PrefetchMeans {
  readonly resolver: Resolver;
  readonly clients: Clients;
  readonly layers: OpenLayers;
}

/** Fetches what is not here yet of an image's layers, until `signal` aborts. Rejects with nothing: what goes wrong is told. */
export async function prefetch(
  { resolver, clients, layers }: PrefetchMeans,
  { configuration, introduction, indexes = false }: ToPrefetch,
  tell: (told: Prefetched) => void,
  signal: AbortSignal,
): Promise<void> {
  let lease: ClientLease | undefined;
  const used: OpenLayer[] = [];
  try {
    const { env, lazy } = parseIntroduction(introduction);
    lease = clients.lease(env);
    const resolved = await resolver.resolve(configuration, undefined, { lease, trusted: false });
    const wanted = indexes ? resolved.layers.map(byItself) : resolved.layers;
    const opening = await whileTelling(
      () => tell({ reading: wanted.flatMap((layer) => layers.reading(layer, lazy) ?? []) }),
      Promise.allSettled(wanted.map((layer) => layers.use(layer, lazy, signal))),
    );
    for (const one of opening) if (one.status === 'fulfilled') used.push(one.value);
    for (const one of opening) if (one.status === 'rejected') throw one.reason;
    if (!indexes) {
      const completing = used.map(({ number }) => layers.supply.complete(number, signal));
      await whileTelling(
        () => tell({ layers: used.map(progressOf) }),
        Promise.all([resolver.keepConfig(resolved.text, lease), ...completing]),
      );
    }
    tell({ layers: used.map(progressOf) });
    const stale = resolved.stale === undefined ? {} : { stale: resolved.stale };
    if (!signal.aborted) tell({ done: { resolved: resolved.text, ...stale, indexed: used.map(indexedHere) } });
  } catch (error) {
    const code = error instanceof CrfsError ? error.code : 'CRFS_INTERNAL';
    tell({ error: { code, message: (error as Error).message } });
  } finally {
    await Promise.all(used.map((layer) => layers.release(layer)));
    await lease?.release();
  }
}

/** As its own bytes say it is. */
function byItself(resolved: ResolvedLayer): ResolvedLayer {
  const { indexed: _, ...layer } = resolved;
  return layer;
}

function indexedHere({ digest, blob: { size }, record: { kind, key } }: OpenLayer): IndexedHere {
  return { digest: digest ?? null, size, kind, isPlain: isPlain(kind), key };
}

async function whileTelling<T>(tell: () => void, work: Promise<T>): Promise<T> {
  const timer = setInterval(tell, TELL_EVERY_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

function progressOf({ name, blob: { size, remote } }: OpenLayer): { name: string; size: number; present: number } {
  const part = remote === undefined ? 1 : remote.blocks.present / Math.max(1, remote.blocks.count);
  return { name, size, present: Math.floor(size * part) };
}
