// SPDX-License-Identifier: GPL-3.0-or-later

/** Writing an image into a repository: blobs first, then manifests. */

import { digestOf } from '../blob/digest.js';
import { CrfsError } from '../errors/error.js';
import { brief, type RetryPolicy, retrying } from '../http/retry.js';
import { isSuccess, refusal } from '../http/status.js';
import { BlobUpload, type ChunkSize, type UploadOptions } from './blob-upload.js';
import type { RegistryClient } from './client.js';
import { hasBlob } from './has-blob.js';
import type { Host } from './host.js';
import { formatReference } from './reference.js';
import type { Reference } from './types.js';

const CHUNK_SIZE = 8 << 20;
/** With a connection and a token that it may need; whoever interrupts a command waits for it. */
const CANCEL_WITHIN_MS = 10_000;

export interface WriterOptions {
  /** Bytes that an upload keeps in memory until the registry has confirmed them. */
  readonly chunkSize?: number;
  /** Milliseconds that a registry has to take note that an upload is given up. */
  readonly cancelWithin?: number;
  readonly signal?: AbortSignal;
}

/** Opened by `openWriter`. Everything rejects with CRFS_DENIED, CRFS_UNREACHABLE or CRFS_DIGEST. */
export class ImageWriter {
  readonly #client: RegistryClient;
  readonly #host: Host;
  readonly #reference: Reference;
  readonly #options: WriterOptions;
  readonly #chunk: ChunkSize;

  constructor(client: RegistryClient, host: Host, reference: Reference, options: WriterOptions) {
    this.#client = client;
    this.#host = host;
    this.#reference = reference;
    this.#options = options;
    this.#chunk = { bytes: options.chunkSize ?? CHUNK_SIZE };
  }

  /** Whether the repository has the blob, so that nothing is to be sent. False where the registry does not tell: sending it shows. */
  async hasBlob(digest: string): Promise<boolean> {
    const { signal } = this.#options;
    return await this.#orNot(async () => await hasBlob(this.#host, this.#reference.repository, digest, signal));
  }

  /** Takes the blob over from another repository of the same registry. Returns whether the registry did. */
  async mountBlob(digest: string, from: string): Promise<boolean> {
    const { repository } = this.#reference;
    const scopes = [
      { repository, actions: 'pull,push' },
      { repository: from, actions: 'pull' },
    ] as const;
    const path = `${repository}/blobs/uploads/?${new URLSearchParams({ mount: digest, from }).toString()}`;
    const headers = { 'content-length': '0' };
    return await this.#orNot(async () => {
      const { response } = await this.#host.send({
        method: 'POST',
        path,
        headers,
        scopes,
        signal: this.#options.signal,
      });
      if (!isSuccess(response)) throw await refusal(response, `cannot mount ${digest} into ${this.#name}`);
      await response.discard();
      return response.status === 201; // others have begun an upload
    });
  }

  /** Starts a blob whose digest is known only at its end. */
  async beginBlob(): Promise<BlobUpload> {
    return await BlobUpload.begin(this.#upload());
  }

  /** Sends a manifest or index under `tag`, or under its digest alone. Returns its digest. */
  async putManifest(mediaType: string, bytes: Uint8Array, tag?: string): Promise<string> {
    const { repository } = this.#reference;
    const digest = digestOf(bytes);
    const path = `${repository}/manifests/${tag ?? digest}`;
    const scopes = [{ repository, actions: 'pull,push' }] as const;
    const request = {
      method: 'PUT',
      path,
      headers: { 'content-type': mediaType },
      body: () => bytes,
      scopes,
      signal: this.#options.signal,
    } as const;
    await this.#retrying(async () => {
      const { response } = await this.#host.send(request);
      if (!isSuccess(response)) throw await refusal(response, `cannot write the manifest of ${this.#name}`);
      await response.discard();
      const stated = response.header('docker-content-digest') ?? digest;
      if (stated.startsWith('sha256:') && stated !== digest) {
        throw new CrfsError(
          'CRFS_DIGEST',
          `the manifest of ${this.#name} is ${digest}, but the registry has stored ${stated}`,
        );
      }
    });
    return digest;
  }

  get #name(): string {
    return formatReference(this.#reference);
  }

  #upload(): UploadOptions {
    return {
      host: this.#host,
      repository: this.#reference.repository,
      name: this.#name,
      policy: this.#client.policy,
      chunk: this.#chunk,
      cancelWithin: this.#options.cancelWithin ?? CANCEL_WITHIN_MS,
      signal: this.#options.signal,
    };
  }

  async #retrying<T>(attempt: () => Promise<T>, policy: RetryPolicy = this.#client.policy): Promise<T> {
    return await retrying(policy, attempt, this.#options.signal);
  }

  /** For what only saves work: false where it fails, however it does. */
  async #orNot(attempt: () => Promise<boolean>): Promise<boolean> {
    try {
      return await this.#retrying(attempt, brief(this.#client.policy));
    } catch (error) {
      if (!(error instanceof CrfsError)) throw error;
      return false;
    }
  }
}

/** For writing into the repository that `reference` names. No request is made yet. */
export async function openWriter(
  client: RegistryClient,
  reference: Reference,
  options: WriterOptions = {},
): Promise<ImageWriter> {
  const endpoint = await client.pushEndpoint(reference);
  return new ImageWriter(client, client.host(endpoint), reference, options);
}
