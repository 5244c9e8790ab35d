// SPDX-License-Identifier: GPL-3.0-or-later

/** A blob of an image, from the first of the image's mirrors that can give it. */

import type { StreamSource } from '../blob/source.js';
import { CrfsError } from '../errors/error.js';
import { collect, RangeSource } from '../http/range-source.js';
import { Location } from '../http/redirect.js';
import { brief, type RetryPolicy } from '../http/retry.js';
import type { RegistryClient } from './client.js';
import type { Endpoint } from './endpoints.js';
import { formatReference } from './reference.js';
import type { Descriptor, Reference } from './types.js';

type BlobNamed = Pick<Descriptor, 'digest' | 'size'>;

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
  const location = new Location(client.transport, endpoint.insecure, async (headers, signal) => {
    return await host.send({ method: 'GET', path, headers, scopes, signal });
  });
  const get = location.get.bind(location);
  return new RangeSource({ name, get, policy, spool: client.spool, size, mutable: false });
}

class RegistrySource implements StreamSource {
  readonly name: string;
  readonly size: number;
  readonly #places: readonly RangeSource[];
  /** The place that gave bytes last: asked first. */
  #good = 0;

  constructor(name: string, size: number, places: readonly RangeSource[]) {
    this.name = name;
    this.size = size;
    this.#places = places;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    return await collect(this, offset, length);
  }

  async *stream(offset: number, length: number, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    let at = offset;
    const order = [this.#good, ...[...this.#places.keys()].filter((index) => index !== this.#good)];
    for (const [tried, index] of order.entries()) {
      try {
        for await (const chunk of this.#places[index]?.stream(at, offset + length - at, signal) ?? []) {
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

  async close(): Promise<void> {
    await Promise.all(this.#places.map(async (place) => await place.close()));
  }
}

/** The blob that `descriptor` names in an image's repository, from `endpoints` in order. No request is made before the first read. */
export function openRegistrySource(
  client: RegistryClient,
  reference: Reference,
  descriptor: BlobNamed,
  endpoints: readonly Endpoint[],
): StreamSource {
  const name = `${formatReference(reference)} blob ${descriptor.digest}`;
  const places = endpoints.map((endpoint, index) => {
    const policy = index === endpoints.length - 1 ? client.policy : brief(client.policy);
    return atEndpoint(client, endpoint, descriptor, name, policy);
  });
  return new RegistrySource(name, descriptor.size, places);
}
