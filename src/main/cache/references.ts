// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * What containers-storage uses of images, through a store: kept on the disk, a file for each layer, so that it is answered
 * for after a restart of everything, without its registry. What a layer needs to be served stays in the cache meanwhile.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { open, rename, rm, writeFile } from 'node:fs/promises';
import pLimit from 'p-limit';
import type { CacheLayout } from '../disk/cache-layout.js';
import type { ImageNote } from './images.js';

export interface Reference {
  /** The configuration by which it is asked for: `docker://NAME#sha256:…`. */
  readonly asked: string;
  /** The one that leads to the very same layer, whatever NAME stands for by now. */
  readonly resolved: string;
  /** Of the layer's blob; and names its index: `CacheLayout.record`, `CacheLayout.index`. */
  readonly identity: string;
  readonly key: string;
  /** Digests of what is kept as manifests, and needed: `CacheLayout.manifest`. */
  readonly manifests: readonly string[];
  /** How often it is used. */
  readonly uses: number;
}

/** All references that are on the disk. What is none is left out. */
export function readReferences(layout: CacheLayout): Reference[] {
  let names: string[];
  try {
    names = readdirSync(layout.references);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []; // a cache that no daemon has made yet
    throw error;
  }
  return names.flatMap((name) => parse(readFileSync(`${layout.references}/${name}`, 'utf8')) ?? []);
}

/** The files of the cache that serving a layer takes, beside its blob. */
export function filesOf(layout: CacheLayout, { identity, key, manifests }: Reference): string[] {
  return [layout.record(identity), layout.index(key), ...manifests.map((digest) => layout.manifest(digest))];
}

/** Whether a reference is one by the name of an image, and not by another that has the same layer. */
export function isUseOf({ asked }: Reference, { name }: ImageNote): boolean {
  return asked.startsWith(`${name}#`);
}

/** The references while a daemon owns the cache. */
export class References {
  readonly #layout: CacheLayout;
  readonly #known: Map<string, Reference>;
  readonly #inTurn = pLimit(1);
  #drafts = 0;

  constructor(layout: CacheLayout) {
    this.#layout = layout;
    this.#known = new Map(readReferences(layout).map((one) => [one.asked, one]));
  }

  list(): Reference[] {
    return [...this.#known.values()];
  }

  /** By what is asked for; without an image's name, `docker://#sha256:…`, that of any image. */
  find(asked: string): Reference | undefined {
    const [name, digest] = asked.split('#');
    if (name !== 'docker://') return this.#known.get(asked);
    return this.list().find((one) => one.asked.endsWith(`#${digest}`));
  }

  /** By what was asked for, or what that was resolved to. */
  of(configuration: string): Reference | undefined {
    return this.find(configuration) ?? this.list().find(({ resolved }) => resolved === configuration);
  }

  /** Counts one use more, or less. Resolves to how many there are, once the disk has it. */
  async change(reference: Omit<Reference, 'uses'>, by: 1 | -1): Promise<number> {
    return await this.#inTurn(async () => {
      const uses = Math.max(0, (this.#known.get(reference.asked)?.uses ?? 0) + by);
      await this.#write({ ...reference, uses });
      return uses;
    });
  }

  /** Takes back all uses of an image by its name. Resolves once the disk has it. */
  async forget(image: ImageNote): Promise<void> {
    for (const one of this.list().filter((each) => isUseOf(each, image)))
      await this.#inTurn(() => this.#write({ ...one, uses: 0 }));
  }

  async #write(reference: Reference): Promise<void> {
    const path = this.#layout.reference(reference.asked);
    if (reference.uses === 0) {
      this.#known.delete(reference.asked);
      await rm(path, { force: true });
    } else {
      this.#known.set(reference.asked, reference);
      const draft = this.#layout.draft(`reference-${this.#drafts++}`);
      await writeFile(draft, `${JSON.stringify(reference)}\n`, { mode: 0o600, flush: true });
      await rename(draft, path);
    }
    const directory = await open(this.#layout.references);
    try {
      await directory.sync(); // the name, too
    } finally {
      await directory.close();
    }
  }
}

function parse(text: string): Reference | undefined {
  try {
    return checked(JSON.parse(text) as Partial<Record<keyof Reference, unknown>> | null);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function checked(read: Partial<Record<keyof Reference, unknown>> | null): Reference | undefined {
  if (read === null) return undefined;
  const { asked, resolved, identity, key, manifests, uses } = read;
  const sound =
    [asked, resolved, identity].every((text) => typeof text === 'string') &&
    typeof key === 'string' &&
    /^[0-9a-f]{64}$/.test(key) &&
    Array.isArray(manifests) &&
    manifests.every((digest) => typeof digest === 'string') &&
    Number.isSafeInteger(uses);
  return sound ? (read as Reference) : undefined;
}
