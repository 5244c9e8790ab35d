// SPDX-License-Identifier: GPL-3.0-or-later

/** A blob of an image, from the first of the image's mirrors that can give it. */

import { collect } from '../blob/collect.js';
import type { BlobNamed } from '../blob/digest.js';
import type { StreamSource } from '../blob/source.js';
import { CrfsError } from '../errors/error.js';
import { RangeSource } from '../http/range-source.js';
import { RedirectCache } from '../http/redirect.js';
import { brief, type RetryPolicy } from '../http/retry.js';
import type { RegistryClient } from './client.js';
import type { Endpoint } from './endpoints.js';
import { atUrl, foreignUrls } from './foreign.js';
import { formatReference } from './reference.js';
import type { Descriptor, Reference } from './types.js';

function atEndpoint(
  client: RegistryClient,
  endpoint: Endpoint,
  { digest, size }: BlobNamed,
  name: string,
  policy: RetryPolicy,
): RangeSource {
  const host = client.host(endpoint);
  const path = `${endpoint.repository}/blobs/${digest}`;
  const scopes = [{ repository: endpoint.repository, actions: 'pull' }] as const;
  const redirects = new RedirectCache(client.transport, endpoint.insecure, async (headers, signal) => {
    return await host.send({ method: 'GET', path, headers, scopes, signal });
  });
  const get = redirects.get.bind(redirects);
  return new RangeSource({ name, get, policy, spool: client.spool, size, mutable: false });
}

/** Bytes of a piece: which place a piece came from is remembered. */
const PIECE = 64 << 10;

class PlacesSource implements StreamSource {
  readonly name: string;
  readonly size: number;
  readonly #places: readonly RangeSource[];
  /** The place that gave bytes last: asked first. */
  #good = 0;
  /** By piece, the place that it came from last, plus one; 0 where that is not known. */
  readonly #givers: Uint8Array;
  /** Places whose bytes were wrong: asked last. */
  readonly #doubted = new Set<number>();

  constructor(name: string, size: number, places: readonly RangeSource[]) {
    this.name = name;
    this.size = size;
    this.#places = places;
    this.#givers = new Uint8Array(places.length > 1 ? Math.ceil(size / PIECE) : 0);
  }

  get places(): number {
    return this.#places.length;
  }

  /** Blames one place: of several that gave parts, a mirror; the registry itself only where nobody else was to blame so far. */
  doubt(offset: number, length: number): void {
    const pieces = this.#givers.subarray(Math.floor(offset / PIECE), Math.ceil((offset + length) / PIECE));
    const givers = [...new Set(pieces)].filter((giver) => giver > 0).map((giver) => giver - 1);
    const isFirst = this.#doubted.size === 0;
    if (givers.length === 0 && isFirst) givers.push(this.#good); // who gave them to an earlier process is not known
    const suspect = Math.min(...givers);
    if (isFirst || suspect < this.#places.length - 1) this.#doubted.add(suspect);
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    return await collect(this, offset, length);
  }

  async *stream(offset: number, length: number, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    let at = offset;
    const order = this.#order();
    for (const [tried, index] of order.entries()) {
      try {
        for await (const chunk of this.#places[index]?.stream(at, offset + length - at, signal) ?? []) {
          this.#givers.fill(index + 1, Math.floor(at / PIECE), Math.ceil((at + chunk.length) / PIECE));
          at += chunk.length;
          yield chunk;
        }
        this.#good = index;
        return;
      } catch (error) {
        if (tried === order.length - 1 || !(error instanceof CrfsError) || error.code === 'CRFS_NO_SPACE') throw error;
      }
    }
  }

  /** The places, best first. Where one gave wrong bytes, no mirror is as good as the registry itself, which is the last of them. */
  #order(): number[] {
    const own = this.#places.length - 1;
    const first = this.#doubted.size > 0 ? own : this.#good;
    const rank = (index: number): number => (this.#doubted.has(index) ? 2 : index === first ? 0 : 1);
    return [...this.#places.keys()].sort((one, other) => rank(one) - rank(other));
  }

  async close(): Promise<void> {
    await Promise.all(this.#places.map(async (place) => await place.close()));
  }
}

/**
 * A blob of an image; of a layer that registries may not hand on, also from where its descriptor says. No request is made
 * before the first read; the size that is named holds. `asking`: how often to try, if not as the client does.
 */
export async function openBlob(
  client: RegistryClient,
  reference: Reference,
  named: BlobNamed & Partial<Descriptor>,
  asking = client.policy,
): Promise<StreamSource> {
  const endpoints = await client.pullEndpoints(reference);
  const name = `${formatReference(reference)} blob ${named.digest}`;
  const places = endpoints.map((endpoint, index) => {
    const policy = index === endpoints.length - 1 ? asking : brief(asking);
    return atEndpoint(client, endpoint, named, name, policy);
  });
  const elsewhere = foreignPlaces(client, named, name, endpoints.at(-1)?.insecure);
  return new PlacesSource(name, named.size, [...places, ...elsewhere]);
}

/**
 * A layer that registries may not hand on, from where its descriptor says alone: for an image that is in no registry. No request
 * is made before the first read. Undefined for any other layer, and where the descriptor says nothing of use.
 */
export function openForeignBlob(
  client: RegistryClient,
  named: BlobNamed & Partial<Descriptor>,
  name: string,
): StreamSource | undefined {
  const places = foreignPlaces(client, named, name, client.insecure);
  return places.length === 0 ? undefined : new PlacesSource(name, named.size, places);
}

function foreignPlaces(
  { transport, policy, spool }: RegistryClient,
  named: BlobNamed & Partial<Descriptor>,
  name: string,
  insecure = false,
): RangeSource[] {
  return foreignUrls(named, insecure).map((url) => atUrl(transport, url, { name, policy, spool, size: named.size }));
}
