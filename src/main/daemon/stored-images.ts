// SPDX-License-Identifier: GPL-3.0-or-later

import type { StoredImage, StoredLayer } from './stored-image.js';

/** For so long an answer holds, also one that an image cannot be had: containers-storage asks for its layers one by one. */
const KEPT_MS = 5000;

/** Images that were asked for a moment ago, so that each is looked for once, however many layers it has. */
export class StoredImages {
  readonly #recent = new Map<string, Promise<StoredImage>>();

  /**
   * The layer of an image that a digest names, which is opened by `open` where it is not known, or has no such layer: a tag
   * may have moved. `key` tells images apart. Resolves to undefined where it is none for a store; throws what `open` throws.
   */
  async find(
    key: string,
    digest: string,
    open: () => Promise<StoredImage>,
  ): Promise<{ readonly image: StoredImage; readonly layer: StoredLayer } | undefined> {
    const recent = this.#recent.get(key);
    const known = recent === undefined ? undefined : await recent; // no turn for another one before it is opened
    const image = known?.digests.has(digest) ? known : await this.#open(key, open);
    const layer = image.layers.find(({ named }) => named.digest === digest || named.tocDigest === digest);
    return layer && { image, layer };
  }

  #open(key: string, open: () => Promise<StoredImage>): Promise<StoredImage> {
    const opening = open();
    const forget = (): void => {
      if (this.#recent.get(key) === opening) this.#recent.delete(key);
    };
    this.#recent.set(key, opening);
    opening.catch(() => undefined).finally(() => setTimeout(forget, KEPT_MS).unref());
    return opening;
  }
}
