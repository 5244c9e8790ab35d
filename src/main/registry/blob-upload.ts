// SPDX-License-Identifier: GPL-3.0-or-later

/** One blob on its way into a registry, in chunks; what a broken connection has lost is sent again (distribution specification, "Push"). */

import { CrfsError } from '../errors/error.js';
import { Retry, type RetryPolicy, retrying, TransientError } from '../http/retry.js';
import { explain, isSuccess, refusal } from '../http/status.js';
import type { HttpResponse } from '../http/transport.js';
import type { Scope } from './authorizer.js';
import { hasBlob } from './has-blob.js';
import type { Host, HostRequest } from './host.js';

/** Registries may ask for larger chunks, up to this many bytes. */
const CHUNK_LIMIT = 128 << 20;
/** Where a chunk is too large for a registry, halves of it are tried, down to this many bytes. */
const CHUNK_LEAST = 64 << 10;

/** Bytes of the chunks to send: shared by uploads to one place, so that each need not learn anew what is too large there. */
export interface ChunkSize {
  bytes: number;
}

export interface UploadOptions {
  readonly host: Host;
  readonly repository: string;
  /** For messages. */
  readonly name: string;
  readonly policy: RetryPolicy;
  /** So many bytes are kept in memory until the registry has them. */
  readonly chunk: ChunkSize;
  /** Milliseconds that the registry has to take note that an upload is given up. */
  readonly cancelWithin: number;
  readonly signal?: AbortSignal | undefined;
}

/** What a registry says that it has: the bytes [0, result). Undefined if it does not say. */
function received(response: HttpResponse): number | undefined {
  const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(response.header('range')?.trim() ?? '')?.[1];
  if (last === undefined) return undefined;
  // Of an upload without a byte, registries say 0-0 as well; one of a single byte is sent again, which its digest would tell.
  return last === '0' ? 0 : Number(last) + 1;
}

export class BlobUpload {
  readonly #options: UploadOptions;
  readonly #scopes: readonly Scope[];
  /** Bytes that a chunk must have at least, but for the last one. */
  readonly #least: number;
  #location: URL;
  /** Bytes that the registry has; those behind are in #pending. */
  #confirmed = 0;
  /** Whether #confirmed is partly the registry's own word: some tell stale numbers. Then only the digest at the end is sure. */
  #isTold = false;
  #pending: Uint8Array[] = [];
  #length = 0;

  private constructor(options: UploadOptions, scopes: readonly Scope[], location: URL, least: number) {
    this.#options = options;
    this.#scopes = scopes;
    this.#location = location;
    this.#least = least;
  }

  /** Opens an upload. Rejects with CRFS_DENIED or CRFS_UNREACHABLE. */
  static async begin(options: UploadOptions): Promise<BlobUpload> {
    const { host, repository, name, policy, signal } = options;
    const scopes = [{ repository, actions: 'pull,push' }] as const;
    return await retrying(
      policy,
      async () => {
        const path = `${repository}/blobs/uploads/`;
        const headers = { 'content-length': '0' };
        const { response } = await host.send({ method: 'POST', path, headers, scopes, signal });
        if (!isSuccess(response)) throw await refusal(response, `cannot upload to ${name}`);
        await response.discard();
        const location = locationOf(response);
        if (location === undefined)
          throw new CrfsError('CRFS_UNREACHABLE', `${name}: the registry does not say where to upload to`);
        const least = Number(response.header('oci-chunk-min-length') ?? 0);
        if (!(least <= CHUNK_LIMIT))
          throw new CrfsError('CRFS_UNREACHABLE', `${name} wants chunks of ${least} bytes: that is too much`);
        return new BlobUpload(options, scopes, location, least);
      },
      signal,
    );
  }

  /**
   * Adds bytes, which must not change until the upload has ended. Rejects as `begin` does, and with CRFS_NOT_FOUND if the
   * registry has lost what it had: another upload may go better.
   */
  async write(bytes: Uint8Array): Promise<void> {
    this.#pending.push(bytes);
    this.#length += bytes.length;
    while (this.#length >= this.#chunkSize) await this.#send(this.#take(this.#chunkSize), undefined);
  }

  /** Ends the upload: the blob is there, under its digest. Rejects as `write` does, with CRFS_DIGEST if other bytes arrived. */
  async commit(digest: string): Promise<void> {
    await this.#send(this.#take(this.#length), digest);
  }

  /** Gives the upload up. The registry clears away by itself what cannot be cancelled now. */
  async cancel(): Promise<void> {
    const signal = AbortSignal.timeout(this.#options.cancelWithin); // ours may have aborted, which is why it is given up
    const request = { ...this.#request('DELETE', this.#location, new Uint8Array(0)), signal };
    await this.#options.host.send(request).then(
      async ({ response }) => await response.discard(),
      () => undefined,
    );
  }

  get #chunkSize(): number {
    return Math.max(this.#least, this.#options.chunk.bytes);
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

  /** Sends a chunk, in parts where it is too large, and ends the blob behind it where its digest is given. */
  async #send(chunk: Uint8Array, digest: string | undefined): Promise<void> {
    const { policy, signal } = this.#options;
    const end = this.#confirmed + chunk.length;
    const retry = new Retry(policy, signal);
    for (let broken = 0; ; ) {
      const rest = chunk.subarray(chunk.length - (end - this.#confirmed));
      if (rest.length === 0 && digest === undefined) return;
      const isLast = digest !== undefined && rest.length <= this.#chunkSize;
      const part = isLast ? rest : rest.subarray(0, this.#chunkSize);
      try {
        if (await (isLast ? this.#put(part, digest) : this.#patch(part))) return;
        retry.progressed();
        broken = 0;
      } catch (error) {
        await retry.failed(error);
        if (await retrying(policy, async () => await this.#resume(end, digest), signal)) return;
        if (++broken > 1) this.#shrink(part); // somebody on the way may break off what is too large for him
      }
    }
  }

  /** Sends a part of the blob. Any success means that it has arrived: what registries say in Range may be stale. */
  async #patch(bytes: Uint8Array): Promise<false> {
    const { response } = await this.#options.host.send(this.#request('PATCH', this.#location, bytes));
    if (!isSuccess(response)) {
      await this.#refused(response, bytes);
      return false;
    }
    await response.discard();
    this.#location = locationOf(response) ?? this.#location;
    this.#confirmed += bytes.length;
    return false;
  }

  /** Ends the blob with its last bytes. Returns false where they are too large to be taken with the end. */
  async #put(bytes: Uint8Array, digest: string): Promise<boolean> {
    const url = new URL(this.#location);
    // Behind what stands there as it is: it may be signed.
    url.search += `${url.search === '' ? '?' : '&'}digest=${encodeURIComponent(digest)}`;
    const { response } = await this.#options.host.send(this.#request('PUT', url, bytes));
    if (!isSuccess(response)) {
      await this.#refused(response, bytes, digest);
      return false;
    }
    await response.discard();
    return true;
  }

  /** Makes the best of a refusal: returns where the rest can be sent in another way. */
  async #refused(response: HttpResponse, bytes: Uint8Array, digest?: string): Promise<void> {
    const { name } = this.#options;
    const { status } = response;
    const said = await explain(response);
    const asked = digest === undefined ? `upload to ${name} failed` : `the registry refuses ${digest} for ${name}`;
    const error = await refusal(response, asked, said);
    if (status === 416) {
      const had = (await this.#told()) ?? this.#confirmed;
      if (had < this.#confirmed || this.#isTold) throw new CrfsError('CRFS_NOT_FOUND', error.message);
      if (had > this.#confirmed) throw new TransientError(asked, 'the registry has more of it already'); // which is then left out
    }
    if ((status === 413 || status === 416) && this.#shrink(bytes)) return;
    const isLost = said.codes.some((code) => code.startsWith('BLOB_UPLOAD_')) || (this.#isTold && status === 400);
    if (isLost) throw new CrfsError('CRFS_NOT_FOUND', error.message);
    if (digest !== undefined && status === 400) throw new CrfsError('CRFS_DIGEST', error.message);
    throw error;
  }

  /** Has chunks be smaller than these bytes from now on, by half. Returns whether they may be. */
  #shrink({ length }: Uint8Array): boolean {
    const half = length >> 1;
    if (half < Math.max(this.#least, CHUNK_LEAST)) return false;
    this.#options.chunk.bytes = Math.min(this.#options.chunk.bytes, half);
    return true;
  }

  /** Asks how many bytes have arrived. Undefined if the registry does not say. */
  async #told(): Promise<number | undefined> {
    const { response } = await this.#ask();
    await response.discard();
    return isSuccess(response) ? received(response) : undefined;
  }

  async #ask(): Promise<{ readonly response: HttpResponse }> {
    const { host, signal } = this.#options;
    return await host.send({ method: 'GET', path: this.#location, scopes: this.#scopes, signal });
  }

  /** After a failure: learns how much has arrived. Returns whether nothing is left to do. */
  async #resume(end: number, digest: string | undefined): Promise<boolean> {
    const { host, name, repository, signal } = this.#options;
    const { response } = await this.#ask();
    if (response.status === 404 && digest !== undefined && (await hasBlob(host, repository, digest, signal)))
      return true;
    if (!isSuccess(response)) {
      const error = await refusal(response, `the upload to ${name} cannot be resumed`);
      throw error instanceof TransientError ? error : new CrfsError('CRFS_NOT_FOUND', error.message);
    }
    await response.discard();
    this.#location = locationOf(response) ?? this.#location;
    const had = received(response) ?? 0;
    if (had <= end) this.#confirmed = Math.max(this.#confirmed, had);
    this.#isTold = true;
    return false;
  }
}

/** Where the registry wants the upload to go on, if it says so. */
function locationOf(response: HttpResponse): URL | undefined {
  const location = response.header('location') ?? '';
  if (location === '' || !URL.canParse(location, response.url.href)) return undefined;
  return new URL(location, response.url);
}
