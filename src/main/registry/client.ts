// SPDX-License-Identifier: GPL-3.0-or-later

/** Asking registries for images, over mirrors, with whatever each host wants. Manifests come from here, blobs by `openBlob`. */

import { digestOf } from '../blob/digest.js';
import { processEnvironment } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { brief, once, patient, type RetryPolicy, retrying } from '../http/retry.js';
import { refusal } from '../http/status.js';
import { Transport, type TransportOptions } from '../http/transport.js';
import { Trust } from '../policy/trust.js';
import type { Access } from './access.js';
import type { CredentialFinder } from './authorizer.js';
import { CredentialStores } from './credential-stores.js';
import { candidates, type Endpoint, pullEndpoints, pushEndpoint } from './endpoints.js';
import { Host } from './host.js';
import { ACCEPTED, isIndex, MANIFEST_LIMIT, parseManifest } from './manifest.js';
import { choosePlatform, machinePlatform } from './platform.js';
import { formatReference } from './reference.js';
import { RegistriesFiles } from './registries-conf.js';
import type { ImageIndex, ImageManifest, ManifestStore, Platform, Reference } from './types.js';

/** Indexes that name indexes: so many at most, one within the other. */
const NESTING = 3;

export interface ClientOptions extends TransportOptions, Partial<Access> {
  /** A directory for temporary files: whole blobs, where a server knows no ranges. */
  readonly spool: string;
  readonly policy?: RetryPolicy;
  /** Told of what is about to be tried again. */
  readonly onRetry?: RetryPolicy['onRetry'];
}

export interface ManifestOptions {
  /** Of an index, which image; the machine's unless given. */
  readonly platform?: Platform;
  /** Asked before the registry for what is named by digest, and told what was found. */
  readonly store?: ManifestStore;
  /** The image was accepted before: its policy is not asked again. */
  readonly trusted?: boolean;
  readonly signal?: AbortSignal;
  /** Ask the first place alone, of mirrors and the registry, and once: it may do without. */
  readonly hurried?: boolean;
}

export class RegistryClient {
  readonly transport: Transport;
  readonly policy: RetryPolicy;
  readonly spool: string;
  /** Whether images may be read; to be asked once for each that a person names. */
  readonly trust: Trust;
  /** Whether plain http, and certificates that nobody vouches for, will do; undefined: as registries.conf says. */
  readonly insecure: boolean | undefined;
  readonly #registries: RegistriesFiles;
  readonly #credentials: CredentialFinder;
  /** Registries that images were named by, wherever registries.conf says that they are. */
  readonly #named = new Set<string>();
  /** By registry and whether it may be insecure. */
  readonly #hosts = new Map<string, Host>();

  constructor(options: ClientOptions) {
    const { environment = processEnvironment } = options;
    this.transport = new Transport(options);
    const { policy = patient, onRetry } = options;
    this.policy = { ...policy, ...(onRetry && { onRetry }) };
    this.spool = options.spool;
    this.#registries = new RegistriesFiles(environment);
    const stores = new CredentialStores(this.#registries, environment);
    const { login } = options;
    this.#credentials = {
      complaint: (registry) => stores.complaint(registry),
      forget: (registry) => stores.forget(registry),
      find: async (registry, repository) =>
        login && this.#named.has(registry) ? login : await stores.find(registry, repository),
    };
    this.insecure = options.insecure;
    this.trust = new Trust(options.trust ?? {}, environment);
  }

  /** The references that a name written by a person may mean, in the order to try them. Rejects with CRFS_USAGE. */
  async candidates(text: string): Promise<Reference[]> {
    return candidates(text, await this.#registries.load());
  }

  /** Where to ask for an image, in order: mirrors that are not known to be down, and last the registry itself. */
  async pullEndpoints(reference: Reference): Promise<Endpoint[]> {
    const endpoints = pullEndpoints(reference, await this.#registries.load()).map((one) => this.#told(one));
    this.#named.add(endpoints.at(-1)?.registry ?? '');
    return endpoints.filter((endpoint, index) => index === endpoints.length - 1 || !this.host(endpoint).down);
  }

  async pushEndpoint(reference: Reference): Promise<Endpoint> {
    const endpoint = pushEndpoint(reference, await this.#registries.load());
    this.#named.add(endpoint.registry);
    return this.#told(endpoint);
  }

  #told(endpoint: Endpoint): Endpoint {
    return { ...endpoint, insecure: this.insecure ?? endpoint.insecure };
  }

  host(endpoint: Pick<Endpoint, 'registry' | 'insecure'>): Host {
    const key = `${endpoint.registry} ${endpoint.insecure}`;
    const host =
      this.#hosts.get(key) ??
      new Host(endpoint, { transport: this.transport, credentials: this.#credentials, policy: this.policy });
    this.#hosts.set(key, host);
    return host;
  }

  /**
   * The manifest of an image for one platform; of an index, the one that fits. Digests and sizes are checked.
   * Rejects with CRFS_NOT_FOUND, CRFS_DENIED, CRFS_UNREACHABLE, CRFS_DIGEST or CRFS_BAD_LAYER.
   */
  async getManifest(reference: Reference, options: ManifestOptions = {}): Promise<ImageManifest> {
    let found = await this.getManifestOrIndex(reference, options);
    for (let depth = 0; isIndex(found); depth++) {
      if (depth === NESTING)
        throw new CrfsError(
          'CRFS_BAD_LAYER',
          `${formatReference(reference)}: more than ${NESTING} indexes within each other`,
        );
      const { digest, size } = choosePlatform(found, options.platform ?? machinePlatform(), formatReference(reference));
      found = await this.getManifestOrIndex({ ...reference, digest }, options);
      if (found.bytes.length !== size) {
        throw new CrfsError(
          'CRFS_DIGEST',
          `the manifest ${digest} of ${formatReference(reference)} has ${found.bytes.length} bytes, not ${size}`,
        );
      }
    }
    return found;
  }

  /** The manifest or index that a reference names itself. Rejects as getManifest does. */
  async getManifestOrIndex(reference: Reference, options: ManifestOptions = {}): Promise<ImageManifest | ImageIndex> {
    const name = formatReference(reference);
    const { digest } = reference;
    const kept = digest === undefined ? undefined : await options.store?.get(digest);
    if (kept !== undefined && digestOf(kept) === digest) return parseManifest(kept, undefined, name);
    const attempt = async (endpoint: Endpoint, policy: RetryPolicy): Promise<ImageManifest | ImageIndex> => {
      const { signal } = options;
      const fetched = await retrying(policy, () => this.#fetchManifest(endpoint, reference, signal), signal);
      return parseManifest(fetched.bytes, fetched.contentType, name);
    };
    const manifest = await this.#overMirrors(reference, attempt, options.hurried);
    await options.store?.put(manifest.digest, manifest.bytes);
    return manifest;
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await this.transport.close();
  }

  /** Tries mirrors in order, each briefly, and last the registry itself. */
  async #overMirrors<T>(
    reference: Reference,
    attempt: (endpoint: Endpoint, policy: RetryPolicy) => Promise<T>,
    hurried = false,
  ): Promise<T> {
    const [policy, most] = hurried ? [once, 1] : [this.policy, Number.POSITIVE_INFINITY];
    const endpoints = (await this.pullEndpoints(reference)).slice(0, most);
    for (;;) {
      const endpoint = endpoints.shift();
      if (endpoint === undefined)
        throw new CrfsError('CRFS_INTERNAL', `nowhere to ask for ${formatReference(reference)}`);
      try {
        return await attempt(endpoint, endpoints.length === 0 ? policy : brief(policy));
      } catch (error) {
        if (endpoints.length === 0 || !(error instanceof CrfsError)) throw error;
      }
    }
  }

  async #fetchManifest(
    endpoint: Endpoint,
    reference: Reference,
    signal?: AbortSignal,
  ): Promise<{ bytes: Uint8Array; contentType: string | undefined }> {
    const { repository } = endpoint;
    const wanted = reference.digest ?? reference.tag ?? 'latest';
    const path = `${repository}/manifests/${wanted}`;
    const scopes = [{ repository, actions: 'pull' }] as const;
    const { response } = await this.host(endpoint).send({
      method: 'GET',
      path,
      headers: { accept: ACCEPTED },
      scopes,
      signal,
    });
    const name = formatReference(reference);
    if (response.status !== 200) throw await refusal(response, `no manifest of ${name}`);
    const bytes = await response.bytes(MANIFEST_LIMIT);
    const digest = digestOf(bytes);
    const stated = reference.digest ?? response.header('docker-content-digest');
    if (stated?.startsWith('sha256:') && stated !== digest) {
      throw new CrfsError(
        'CRFS_DIGEST',
        `the manifest of ${name} should be ${stated}, but ${endpoint.registry} sent ${digest}`,
      );
    }
    return { bytes, contentType: response.header('content-type') };
  }
}
