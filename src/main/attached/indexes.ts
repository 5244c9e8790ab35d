// SPDX-License-Identifier: GPL-3.0-or-later

/** Indexes of an image's layers that have no TOC, attached to the image: docs/plain-layers.md. */

import type { BlobNamed } from '../blob/digest.js';
import type { StreamSource } from '../blob/source.js';
import type { IndexForm } from '../formats/by-index.js';
import type { Descriptor } from '../registry/types.js';
import type { Artifact, Attached, Kind, OwnKind } from './attached.js';

export const INDEXES: OwnKind = {
  what: 'index',
  type: 'application/vnd.crfs.index.v1',
  made: 'io.github.crfs-plugin.index.made',
};
/** On each blob of the artifact: the digest of the layer that it is the index of. */
export const LAYER = 'io.github.crfs-plugin.index.layer';

/** What SOCI makes (soci-snapshotter, soci/soci_index.go): attached to the image, or, in its second version, named by the image's manifest. */
const SOCI: Kind = { what: 'SOCI index', type: 'application/vnd.amazon.soci.index.v1+json' };
const SOCI_LAYER = 'com.amazon.soci.image-layer-digest';

/** The index of a layer: in its portable form, or a zTOC of SOCI. */
export interface AttachedIndex extends BlobNamed {
  readonly form: IndexForm;
  /** What to call the artifact in messages. */
  readonly name: string;
  open(): Promise<StreamSource>;
}

/** What is looked for once for all layers of an image. */
export class AttachedIndexes {
  readonly #attached: Attached;
  readonly #sociIndex: string | undefined;
  #found: Promise<Artifact | undefined> | undefined;
  #soci: Promise<Artifact | undefined> | undefined;

  /** `sociIndex`: the digest of an index by SOCI that the image's manifest names. */
  constructor(attached: Attached, sociIndex?: string) {
    this.#attached = attached;
    this.#sociIndex = sociIndex;
  }

  /** Has the registry asked, for who may want an index. */
  begin(): void {
    this.#attached.begin();
  }

  /**
   * The index of a layer, by the digest of its blob, of ours or else by SOCI; undefined: there is none. Rejects as `Attached.newest` does; `signal` is that of
   * whoever asks first.
   */
  async of(layer: string, signal: AbortSignal): Promise<AttachedIndex | undefined> {
    this.#found ??= this.#attached.newest(INDEXES, signal);
    const own = partOf(
      'portable',
      await this.#found,
      (part) => part.mediaType === INDEXES.type && part.annotations[LAYER] === layer,
    );
    if (own !== undefined) return own;
    this.#soci ??= this.#newestSoci(signal);
    return partOf('soci', await this.#soci, ({ annotations }) => annotations[SOCI_LAYER] === layer);
  }

  async #newestSoci(signal: AbortSignal): Promise<Artifact | undefined> {
    if (this.#sociIndex === undefined) return await this.#attached.newest(SOCI, signal);
    return await this.#attached.named(this.#sociIndex, SOCI, signal);
  }
}

function partOf(
  form: IndexForm,
  artifact: Artifact | undefined,
  isIt: (part: Descriptor) => boolean,
): AttachedIndex | undefined {
  const found = artifact?.manifest.layers.find(isIt);
  if (artifact === undefined || found === undefined) return undefined;
  const { digest, size } = found;
  return { name: artifact.name, form, digest, size, open: async () => await artifact.open(found) };
}
