// SPDX-License-Identifier: GPL-3.0-or-later

/** Writing an image into a repository: blobs first, then manifests. */

import { CrfsError } from '../errors/error.js';
import { retrying } from '../http/retry.js';
import { refusal } from '../http/status.js';
import { BlobUpload, hasBlob, type UploadOptions } from './blob-upload.js';
import type { RegistryClient } from './client.js';
import type { Host } from './host.js';
import { digestOf } from './manifest.js';
import { formatReference } from './reference.js';
import type { Reference } from './types.js';

const CHUNK_SIZE = 8 << 20;

export interface WriterOptions {
  /** Bytes that an upload keeps in memory until the registry has confirmed them. */
  readonly chunkSize?: number;
  readonly signal?: AbortSignal;
}

/** Opened by `openWriter`. Everything rejects with CRFS_DENIED, CRFS_UNREACHABLE or CRFS_DIGEST. */
export class ImageWriter {
  readonly #client: RegistryClient;
  readonly #host: Host;
  readonly #reference: Reference;
  readonly #options: WriterOptions;

  constructor(client: RegistryClient, host: Host, reference: Reference, options: WriterOptions) {
    this.#client = client;
    this.#host = host;
    this.#reference = reference;
    this.#options = options;
  }

  /** Whether the repository has the blob, so that nothing is to be sent. */
  async hasBlob(digest: string): Promise<boolean> {
    const { signal } = this.#options;
    return await this.#retrying(async () => await hasBlob(this.#host, this.#reference.repository, digest, signal));
  }

  /** Takes the blob over from another repository of the same registry. Returns whether the registry could. */
  async mountBlob(digest: string, from: string): Promise<boolean> {
    const { repository } = this.#reference;
    const scopes = [
      { repository, actions: 'pull,push' },
      { repository: from, actions: 'pull' },
    ] as const;
    const path = `${repository}/blobs/uploads/?${new URLSearchParams({ mount: digest, from }).toString()}`;
    return await this.#retrying(async () => {
      const { response } = await this.#host.send({
        method: 'POST',
        path,
        headers: { 'content-length': '0' },
        scopes,
        signal: this.#options.signal,
      });
      if (response.status !== 201 && response.status !== 202)
        throw await refusal(response, `cannot mount ${digest} into ${this.#name}`);
      await response.discard();
      return response.status === 201;
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
      if (response.status !== 201) throw await refusal(response, `cannot write the manifest of ${this.#name}`);
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
    const { chunkSize = CHUNK_SIZE, signal } = this.#options;
    return {
      host: this.#host,
      repository: this.#reference.repository,
      name: this.#name,
      policy: this.#client.policy,
      chunkSize,
      signal,
    };
  }

  async #retrying<T>(attempt: () => Promise<T>): Promise<T> {
    return await retrying(this.#client.policy, attempt, this.#options.signal);
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
