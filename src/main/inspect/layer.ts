// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, openSync, unlinkSync } from 'node:fs';
import { addon } from '../../native/addon.js';
import { fetchAttachedIndex } from '../attached/fetch-index.js';
import type { BlobSource } from '../blob/source.js';
import { CrfsError } from '../errors/error.js';
import { layerByIndex } from '../formats/by-index.js';
import type { Layer } from '../formats/format.js';
import { recognise } from '../formats/recognise.js';
import { buildIndex, type IndexRequest } from '../index/build.js';
import { indexMemory } from '../index/memory.js';
import { IndexReader } from '../index/reader.js';
import { warn } from '../output/tell.js';
import { formatBytes, shortenDigests } from '../output/text.js';
import { sayingIfSlow } from '../output/waiting.js';
import type { LazyName } from '../plain/lazy-names.js';
import { isPlain, plainFormats } from '../plain/plain.js';
import { loadSettings } from '../settings/settings.js';
import { fileSource } from '../sources/file.js';
import type { AnyLayerSource } from './found-image.js';
import type { Workspace } from './workspace.js';

/** A layer whose TOC has been read. */
export interface InspectedLayer {
  /** 1 is the base. */
  readonly number: number;
  readonly name: string;
  /** `sha256:…` of the blob, where it is named by that. */
  readonly digest: string | undefined;
  readonly kind: string;
  readonly tocOffset: number;
  /** sha256 of the TOC, as manifests name it; hex. */
  readonly tocDigest: string;
  readonly index: IndexReader;
  /** The index as a file, open for as long as the process lives. */
  readonly indexFd: number;
  readonly blob: BlobSource;
  /** Where the cache has contents of its files, of a layer whose index is the cache's. */
  readonly objects?: string;
}

/**
 * Reads the TOC of a layer out of `blob`, or of one without a TOC takes the index that is attached to its image, or else reads all of
 * it, which `say` is told of if it takes long. Throws CRFS_DIGEST if it is not the one that the manifest names, and what recognise and buildIndex throw.
 */
export async function readLayer(
  layer: Omit<AnyLayerSource, 'open'>,
  number: number,
  blob: BlobSource,
  workspace: Workspace,
  say: (line: string) => void,
): Promise<InspectedLayer> {
  const settings = await loadSettings({});
  const as = async (lazy: LazyName): Promise<Layer> =>
    await recognise(blob, layer.tocPosition, plainFormats(lazy, layer.tocDigest));
  const found = await as('index');
  const facts = { number, name: layer.name, digest: layer.digest, blob };
  const make = async (request: Pick<IndexRequest, 'layer' | 'tocBlob'>): Promise<Indexed> =>
    await indexed(
      { ...request, blobIdentity: layer.identity, memoryLimit: indexMemory(settings['index-memory']) },
      workspace,
    );
  if (!isPlain(found.kind)) {
    const elsewhere = found.toc === undefined ? await layer.openToc() : undefined;
    const made = await make({ layer: found, ...(elsewhere && { tocBlob: elsewhere }) });
    return { ...facts, ...named(made, layer.tocDigest, `${layer.name}: its TOC`) };
  }
  const attached = await readAttached(layer, blob, workspace, make);
  if (attached !== undefined) return { ...facts, ...attached };
  if (settings.lazy !== 'index') await as(settings.lazy); // which refuses it
  const why = 'has no TOC, and its index is not here: all of it is read each time';
  const line = `${shortenDigests(layer.name)}, ${formatBytes(blob.size)}, ${why}`;
  const made = await sayingIfSlow(() => say(line), make({ layer: found }));
  return { ...facts, ...named(made, layer.digest, `${layer.name}: the blob`) };
}

type Indexed = Pick<InspectedLayer, 'kind' | 'tocOffset' | 'tocDigest' | 'index' | 'indexFd'>;

async function indexed(request: Omit<IndexRequest, 'path'>, workspace: Workspace): Promise<Indexed> {
  const path = workspace.path();
  const { tocDigest, kind, tocOffset } = await buildIndex({ ...request, path });
  const indexFd = openSync(path, 'r');
  unlinkSync(path);
  return { tocDigest, kind, tocOffset, indexFd, index: new IndexReader(addon.map(indexFd, false)) };
}

/** Throws CRFS_DIGEST if it was made of something else than the manifest names; `what` says of what. */
function named(made: Indexed, digest: string | undefined, what: string): Indexed {
  if (digest === undefined || digest === `sha256:${made.tocDigest}`) return made;
  closeSync(made.indexFd);
  throw new CrfsError('CRFS_DIGEST', `${what} is sha256:${made.tocDigest}, not ${digest} as the manifest says`);
}

/** By the index that is attached to the layer's image; undefined where there is none, or none that is sound: as a mount does without. */
async function readAttached(
  { name, indexed: source }: Pick<AnyLayerSource, 'name' | 'indexed'>,
  blob: BlobSource,
  { directory }: Workspace,
  make: (request: Pick<IndexRequest, 'layer'>) => Promise<Indexed>,
): Promise<Indexed | undefined> {
  const found = await source?.find();
  if (found === undefined) return undefined;
  try {
    const file = await fetchAttachedIndex(found, blob.size, directory);
    try {
      return await make({ layer: await layerByIndex(blob, fileSource(file.fd, found.name), found.form) });
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!(error instanceof CrfsError)) throw error;
    warn(`${shortenDigests(name)}: takes no index that is attached to its image: ${error.message}`);
    return undefined;
  }
}
