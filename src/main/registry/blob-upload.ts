// SPDX-License-Identifier: GPL-3.0-or-later

/** One blob on its way into a registry, in chunks; what a broken connection has lost is sent again (distribution specification, "Push"). */

import { CrfsError } from '../errors/error.js';
import { Retry, type RetryPolicy, retrying, TransientError } from '../http/retry.js';
import { refusal } from '../http/status.js';
import type { HttpResponse } from '../http/transport.js';
import type { Scope } from './authorizer.js';
import type { Host, HostRequest } from './host.js';

/** Registries may ask for larger chunks, up to this many bytes. */
const CHUNK_LIMIT = 128 << 20;

/** Milliseconds that a registry has to take note that an upload is given up. */
const CANCEL_MS = 3000;

export interface UploadOptions {
  readonly host: Host;
  readonly repository: string;
  /** For messages. */
  readonly name: string;
  readonly policy: RetryPolicy;
  /** Bytes that are kept in memory until the registry has them. */
  readonly chunkSize: number;
  readonly signal?: AbortSignal | undefined;
}

/** What a registry says that it has: the bytes [0, result). Undefined if it does not say. */
function received(response: HttpResponse): number | undefined {
  const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(response.header('range') ?? '')?.[1];
  if (last === undefined) return undefined;
  // Of an upload without a byte, registries say 0-0 as well; one of a single byte is sent again, which its digest would tell.
  return last === '0' ? 0 : Number(last) + 1;
}

export class BlobUpload {
  readonly #options: UploadOptions;
  readonly #scopes: readonly Scope[];
  readonly #chunkSize: number;
  #location: URL;
  /** Bytes that the registry has confirmed; those behind are in #pending. */
  #confirmed = 0;
  #pending: Uint8Array[] = [];
  #length = 0;

  private constructor(options: UploadOptions, scopes: readonly Scope[], location: URL, chunkSize: number) {
    this.#options = options;
    this.#scopes = scopes;
    this.#location = location;
    this.#chunkSize = chunkSize;
  }

  /** Opens an upload. Rejects with CRFS_DENIED or CRFS_UNREACHABLE. */
  static async begin(options: UploadOptions): Promise<BlobUpload> {
    const { host, repository, name, policy, signal } = options;
    const scopes = [{ repository, actions: 'pull,push' }] as const;
    return await retrying(policy, async () => {
      const path = `${repository}/blobs/uploads/`;
      const { response } = await host.send({
        method: 'POST',
        path,
        headers: { 'content-length': '0' },
        scopes,
        signal,
      });
      if (response.status !== 202) throw await refusal(response, `cannot upload to ${name}`);
      await response.discard();
      const wanted = Number(response.header('oci-chunk-min-length') ?? 0);
      if (!(wanted <= CHUNK_LIMIT))
        throw new CrfsError('CRFS_UNREACHABLE', `${name} wants chunks of ${wanted} bytes: that is too much`);
      return new BlobUpload(options, scopes, locationOf(response, name), Math.max(wanted, options.chunkSize));
    });
  }

  /** Adds bytes, which must not change until the upload has ended. Rejects as `begin` does. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#pending.push(bytes);
    this.#length += bytes.length;
    while (this.#length >= this.#chunkSize) await this.#send(this.#take(this.#chunkSize), undefined);
  }

  /** Ends the upload: the blob is there, under its digest. Rejects with CRFS_DIGEST if the registry has got other bytes. */
  async commit(digest: string): Promise<void> {
    await this.#send(this.#take(this.#length), digest);
  }

  /** Gives the upload up. The registry clears away by itself what cannot be cancelled now. */
  async cancel(): Promise<void> {
    const signal = AbortSignal.timeout(CANCEL_MS); // ours may have aborted, which is why it is given up
    const request = { ...this.#request('DELETE', this.#location, new Uint8Array(0)), signal };
    await this.#options.host.send(request).then(
      async ({ response }) => await response.discard(),
      () => undefined,
    );
  }

  #take(length: number): Uint8Array {
    const all = Buffer.concat(this.#pending, this.#length);
    this.#pending = length < all.length ? [all.subarray(length)] : [];
    this.#length -= length;
    return all.subarray(0, length);
  }

  #request(method: HostRequest['method'], path: URL, bytes: Uint8Array): HostRequest {
    const headers: Record<string, string> = { 'content-type': 'application/octet-stream' };
    if (bytes.length > 0) headers['content-range'] = `${this.#confirmed}-${this.#confirmed + bytes.length - 1}`;
    return { method, path, headers, body: () => bytes, scopes: this.#scopes, signal: this.#options.signal };
  }

  /** Sends a chunk, the last one with the blob's digest, until the registry has confirmed all of it. */
  async #send(chunk: Uint8Array, digest: string | undefined): Promise<void> {
    const retry = new Retry(this.#options.policy, this.#options.signal);
    const end = this.#confirmed + chunk.length;
    for (;;) {
      try {
        const rest = chunk.subarray(chunk.length - (end - this.#confirmed));
        if (await (digest === undefined ? this.#patch(rest, end) : this.#put(rest, digest))) return;
        retry.progressed();
      } catch (error) {
        await retry.failed(error);
        const before = this.#confirmed;
        if (await retrying(this.#options.policy, async () => await this.#resume(end, digest), this.#options.signal))
          return;
        if (this.#confirmed > before) retry.progressed();
      }
    }
  }

  /** Returns whether the registry now has everything up to `end`. */
  async #patch(bytes: Uint8Array, end: number): Promise<boolean> {
    if (bytes.length === 0) return true;
    const { response } = await this.#options.host.send(this.#request('PATCH', this.#location, bytes));
    if (response.status === 416)
      throw new TransientError(`${this.#options.name}: the registry has lost count of an upload`);
    if (response.status !== 202 && response.status !== 204)
      throw await refusal(response, `upload to ${this.#options.name} failed`);
    await response.discard();
    this.#location = locationOf(response, this.#options.name);
    const had = received(response) ?? end;
    if (had <= this.#confirmed || had > end) throw this.#lost(had);
    this.#confirmed = had;
    return had === end;
  }

  async #put(bytes: Uint8Array, digest: string): Promise<boolean> {
    const url = new URL(this.#location);
    url.searchParams.set('digest', digest);
    const { response } = await this.#options.host.send(this.#request('PUT', url, bytes));
    if (response.status === 400) {
      const { message } = await refusal(response, `the registry refuses ${digest} for ${this.#options.name}`);
      throw new CrfsError('CRFS_DIGEST', message);
    }
    if (response.status !== 201) throw await refusal(response, `upload to ${this.#options.name} failed`);
    await response.discard();
    return true;
  }

  /** After a failure: learns how much has arrived. Returns whether nothing is left to do. */
  async #resume(end: number, digest: string | undefined): Promise<boolean> {
    const { host, name, repository, signal } = this.#options;
    const { response } = await host.send({ method: 'GET', path: this.#location, scopes: this.#scopes, signal });
    if (response.status === 404 && digest !== undefined && (await hasBlob(host, repository, digest, signal)))
      return true;
    if (response.status !== 204) throw await refusal(response, `the upload to ${name} cannot be resumed`);
    await response.discard();
    if (response.header('location') !== undefined) this.#location = locationOf(response, name);
    const had = received(response) ?? this.#confirmed;
    if (had < this.#confirmed || had > end) throw this.#lost(had);
    this.#confirmed = had;
    return digest === undefined && had === end;
  }

  #lost(had: number): CrfsError {
    return new CrfsError(
      'CRFS_UNREACHABLE',
      `${this.#options.name}: the registry has ${had} bytes of an upload, where it had ${this.#confirmed}`,
    );
  }
}

/** Whether a repository has a blob. */
export async function hasBlob(host: Host, repository: string, digest: string, signal?: AbortSignal): Promise<boolean> {
  const scopes = [{ repository, actions: 'pull,push' }] as const;
  const { response } = await host.send({ method: 'HEAD', path: `${repository}/blobs/${digest}`, scopes, signal });
  if (response.status !== 200 && response.status !== 404)
    throw await refusal(response, `cannot look for ${digest} in ${repository}`);
  await response.discard();
  return response.status === 200;
}

function locationOf(response: HttpResponse, name: string): URL {
  const location = response.header('location') ?? '';
  if (location === '' || !URL.canParse(location, response.url.href)) {
    throw new CrfsError('CRFS_UNREACHABLE', `${name}: the registry does not say where to upload to`);
  }
  return new URL(location, response.url);
}
