// SPDX-License-Identifier: GPL-3.0-or-later

/** What is attached to an image in its registry, where anybody may have put it who may write there. */

import type { StreamSource } from '../blob/source.js';
import { CrfsError } from '../errors/error.js';
import { unlessAborted } from '../errors/unless-aborted.js';
import { once } from '../http/retry.js';
import { openBlob } from '../registry/blob-source.js';
import type { RegistryClient } from '../registry/client.js';
import { formatReference } from '../registry/reference.js';
import { listReferrers, type Manner, referrersOf, taggedReferrers } from '../registry/referrers.js';
import type { Descriptor, ImageIndex, ImageManifest, Reference } from '../registry/types.js';

/** A kind of artifact. */
export interface Kind {
  /** What to call one in messages. */
  readonly what: string;
  /** Of the artifact, and of what it holds. */
  readonly type: string;
  /**
   * The annotation that says when one was made, in its manifest and in lists of what is attached: none but of this kind has it.
   * undefined: lists tell one by its type, and the last one counts.
   */
  readonly made?: string;
}

/** A kind of ours. */
export type OwnKind = Kind & { readonly made: string };

export interface Artifact {
  /** What to call it in messages. */
  readonly name: string;
  readonly digest: string;
  readonly manifest: ImageManifest;
  /** Opens a blob of it; the first read makes the first request. */
  readonly open: (blob: Descriptor) => Promise<StreamSource>;
}

/** Milliseconds: what a registry has not listed by then is done without. */
const LIST_WITHIN_MS = 60_000;
/** Between machines, at most: an artifact that seems to be younger was made by a clock that is wrong. */
const CLOCKS_DIFFER_MS = 86_400_000;

/** The artifact that was made last of those of a kind that are attached to an image; undefined: there is none. */
export async function newestAttached(
  client: RegistryClient,
  reference: Reference,
  image: string,
  kind: Kind,
): Promise<Artifact | undefined> {
  const { index } = await referrersOf(client, reference, image);
  const newest = newestOf(index, kind);
  return newest && (await fetchArtifact(client, reference, image, newest, kind, {}));
}

/**
 * The same for who has no time: both places where it may be named are asked at once, the first that names one counts, of mirrors
 * and the registry only the first is asked, and nothing is tried again. They are asked once for artifacts of all kinds.
 */
export class Attached {
  readonly #client: RegistryClient;
  readonly #reference: Reference;
  readonly #image: string;
  #places: readonly Promise<ImageIndex | undefined>[] | undefined;

  /** Asks nothing yet. `image`: the digest of its manifest. */
  constructor(client: RegistryClient, reference: Reference, image: string) {
    this.#client = client;
    this.#reference = reference;
    this.#image = image;
  }

  /** Resolves to undefined where there is none. Rejects with what is wrong with the registry, or the artifact, and with the signal's reason. */
  async newest(kind: Kind, signal: AbortSignal): Promise<Artifact | undefined> {
    const newest = await unlessAborted(() => this.#named(kind), signal);
    const manner = { signal, hurried: true };
    return newest && (await fetchArtifact(this.#client, this.#reference, this.#image, newest, kind, manner));
  }

  /** The artifact with this digest, which the image's manifest names. Rejects as `newest` does. */
  async named(digest: string, kind: Kind, signal: AbortSignal): Promise<Artifact> {
    const manner = { signal, hurried: true };
    return await fetchArtifact(this.#client, this.#reference, undefined, { digest }, kind, manner);
  }

  /** Asks what is attached, for who may want it. */
  begin(): void {
    void this.#listed();
  }

  async #named(kind: Kind): Promise<Descriptor | undefined> {
    const listed = this.#listed().map(async (place) => newestOf(await place, kind) ?? noneOf(kind));
    return await Promise.any(listed).catch((error: AggregateError) => {
      const failed = error.errors.find((one) => !isNone(one));
      if (failed !== undefined) throw failed;
      return undefined;
    });
  }

  #listed(): readonly Promise<ImageIndex | undefined>[] {
    if (this.#places === undefined) {
      const manner = { signal: AbortSignal.timeout(LIST_WITHIN_MS), hurried: true };
      const of = [this.#client, this.#reference, this.#image, manner] as const;
      this.#places = [listReferrers(...of), taggedReferrers(...of)];
      for (const place of this.#places) place.catch(() => undefined); // whoever wants an artifact is told
    }
    return this.#places;
  }
}

function noneOf({ what }: Kind): never {
  throw new CrfsError('CRFS_NOT_FOUND', `no ${what} is attached`);
}

function isNone(error: unknown): boolean {
  return error instanceof CrfsError && error.code === 'CRFS_NOT_FOUND';
}

/** Rejects with CRFS_BAD_LAYER for an artifact that is attached to something else than `image`, where that is told, whoever lists it. */
async function fetchArtifact(
  client: RegistryClient,
  { registry, repository }: Reference,
  image: string | undefined,
  { digest }: Pick<Descriptor, 'digest'>,
  { what }: Kind,
  manner: Manner,
): Promise<Artifact> {
  const reference = { registry, repository, digest };
  const name = `the ${what} ${formatReference(reference)}`;
  const manifest = await client.getManifest(reference, manner);
  if (image !== undefined && subjectOf(manifest) !== image) {
    throw new CrfsError('CRFS_BAD_LAYER', `${name} is of another image`);
  }
  const policy = manner.hurried ? once : client.policy;
  return {
    name,
    digest,
    manifest,
    open: async (blob) => await openBlob(client, reference, blob, policy),
  };
}

function subjectOf({ bytes }: ImageManifest): unknown {
  const { subject } = JSON.parse(Buffer.from(bytes).toString()) as { subject?: { digest?: unknown } | null };
  return subject?.digest;
}

/** What a clock of the future has made comes behind all else: nothing that is attached later would count for years. */
function newestOf(index: ImageIndex | undefined, { made, type }: Kind): Descriptor | undefined {
  if (made === undefined) return index?.manifests.findLast(({ artifactType }) => artifactType === type);
  const future = new Date(Date.now() + CLOCKS_DIFFER_MS).toISOString();
  const madeAt = ({ annotations }: Descriptor): string => annotations[made] ?? ''; // empty for what is of another kind
  const rank = (one: Descriptor): string => (madeAt(one) > future ? '' : madeAt(one));
  const [newest] = (index?.manifests ?? [])
    .filter((one) => madeAt(one) !== '')
    .sort((a, b) => (rank(a) < rank(b) ? 1 : -1));
  return newest;
}
