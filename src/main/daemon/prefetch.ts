// SPDX-License-Identifier: GPL-3.0-or-later

/** Fetching all of an image without a mount, for `crfs prefetch`. */

import { CrfsError, type ErrorCode } from '../errors/error.js';
import type { ClientLease, Clients } from './clients.js';
import { parseIntroduction } from './introduction.js';
import type { OpenLayer, OpenLayers } from './open-layers.js';
import type { Reading } from './reading.js';
import type { Resolver } from './resolver.js';

const TELL_EVERY_MS = 200;

export interface ToPrefetch {
  /** As canonicalConfiguration makes it: an image in a registry, or a URL. */
  readonly configuration: string;
  /** Of whoever asks, as a mount introduces itself: csrc/shared/control.h, HELLO. */
  readonly introduction: string;
}

/** What is told while it goes on. The last thing told is `done` or `error`. */
export type Prefetched =
  | { readonly reading: readonly Reading[] }
  | { readonly layers: readonly { readonly name: string; readonly size: number; readonly present: number }[] }
  | { readonly done: { readonly resolved: string; readonly stale?: string } }
  | { readonly error: { readonly code: ErrorCode; readonly message: string } };

export interface PrefetchMeans {
  readonly resolver: Resolver;
  readonly clients: Clients;
  readonly layers: OpenLayers;
}

/** Fetches what is not here yet of an image's layers, until `signal` aborts. Rejects with nothing: what goes wrong is told. */
export async function prefetch(
  { resolver, clients, layers }: PrefetchMeans,
  { configuration, introduction }: ToPrefetch,
  tell: (told: Prefetched) => void,
  signal: AbortSignal,
): Promise<void> {
  let lease: ClientLease | undefined;
  const used: OpenLayer[] = [];
  try {
    const { env, lazy } = parseIntroduction(introduction);
    lease = clients.lease(env);
    const resolved = await resolver.resolve(configuration, undefined, { lease, trusted: false });
    const opening = await whileTelling(
      () => tell({ reading: resolved.layers.flatMap((layer) => layers.reading(layer, lazy) ?? []) }),
      Promise.allSettled(resolved.layers.map((layer) => layers.use(layer, lazy))),
    );
    for (const one of opening) if (one.status === 'fulfilled') used.push(one.value);
    for (const one of opening) if (one.status === 'rejected') throw one.reason;
    const completing = used.map(({ number }) => layers.supply.complete(number, signal));
    await whileTelling(
      () => tell({ layers: used.map(progressOf) }),
      Promise.all([resolver.keepConfig(resolved.text, lease), ...completing]),
    );
    tell({ layers: used.map(progressOf) });
    if (!signal.aborted) tell({ done: { resolved: resolved.text, ...(resolved.stale && { stale: resolved.stale }) } });
  } catch (error) {
    const code = error instanceof CrfsError ? error.code : 'CRFS_INTERNAL';
    tell({ error: { code, message: (error as Error).message } });
  } finally {
    await Promise.all(used.map((layer) => layers.release(layer)));
    await lease?.release();
  }
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
