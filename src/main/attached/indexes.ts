// SPDX-License-Identifier: GPL-3.0-or-later

/** Indexes of an image's layers that have no TOC, attached to the image: docs/plain-layers.md. */

import type { BlobNamed } from '../blob/digest.js';
import type { StreamSource } from '../blob/source.js';
import type { Artifact, Attached, Kind } from './attached.js';

export const INDEXES: Kind = {
  what: 'index',
  type: 'application/vnd.crfs.index.v1',
  made: 'io.github.crfs-plugin.index.made',
};
/** On each blob of the artifact: the digest of the layer that it is the index of. */
export const LAYER = 'io.github.crfs-plugin.index.layer';

/** The index of a layer, in its portable form. */
export interface AttachedIndex extends BlobNamed {
  /** What to call the artifact in messages. */
  readonly name: string;
  open(): Promise<StreamSource>;
}

/** What is looked for once for all layers of an image. */
export class AttachedIndexes {
  readonly #attached: Attached;
  #found: Promise<Artifact | undefined> | undefined;

  constructor(attached: Attached) {
    this.#attached = attached;
  }

  /** Has the registry asked, for who may want an index. */
  begin(): void {
    this.#attached.begin();
  }

  /** The index of a layer, by the digest of its blob; undefined: there is none. Rejects as `Attached.newest` does; `signal` is that of whoever asks first. */
  async of(layer: string, signal: AbortSignal): Promise<AttachedIndex | undefined> {
    this.#found ??= this.#attached.newest(INDEXES, signal);
    return indexIn(await this.#found, layer);
  }
}

function indexIn(artifact: Artifact | undefined, layer: string): AttachedIndex | undefined {
  const found = artifact?.manifest.layers.find(
    ({ mediaType, annotations }) => mediaType === INDEXES.type && annotations[LAYER] === layer,
  );
  if (artifact === undefined || found === undefined) return undefined;
  const { digest, size } = found;
  return { name: artifact.name, digest, size, open: async () => await artifact.open(found) };
}
