// SPDX-License-Identifier: GPL-3.0-or-later

import { fstatSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { digestIn, hexOf } from '../blob/digest.js';
import type { HeldFile } from '../blob/held-file.js';
import { noteImage } from '../cache/images.js';
import { lastSeen, readKept, takenAsSeenLast } from '../cache/last-seen.js';
import { readIndexedRecord } from '../cache/records.js';
import { References } from '../cache/references.js';
import type { CacheLayout } from '../disk/cache-layout.js';
import { CrfsError } from '../errors/error.js';
import { type LayerBlob, localBlob, remoteBlob } from '../fetch/layer-blob.js';
import { isPlain } from '../plain/plain.js';
import type { ManifestOptions } from '../registry/client.js';
import type { ManifestStore } from '../registry/types.js';
import { shownConfiguration } from '../sources/configuration.js';
import { fileIdentity } from '../sources/file.js';
import type { RemoteImage, RemoteLayer } from '../sources/open.js';
import { type LayerPlace, layerPlaceOf, placeOf, type RemotePlace } from '../sources/place.js';
import type { ClientLease } from './clients.js';
import { resolveDirectory } from './local-files.js';
import type { Asking, Resolved, ResolvedLayer } from './resolved.js';
import { StoredImages } from './stored-images.js';

/** Finds the layers that mounts ask for. */
export class Resolver {
  readonly #layout: CacheLayout;
  readonly #log: Logger;
  readonly #manifests: ManifestStore;
  readonly #references: References;
  readonly #images = new StoredImages();
  #drafts = 0;

  constructor(layout: CacheLayout, log: Logger, references = new References(layout)) {
    this.#references = references;
    this.#layout = layout;
    this.#log = log;
    this.#manifests = {
      get: async (digest) => readKept(layout, digest),
      put: (digest, bytes) => this.#write(layout.manifest(digest), bytes),
    };
  }

  /**
   * The layers of a mount's configuration; `file` is open on what it names, if that is a local file. Throws a CrfsError that says why it cannot be served.
   */
  async resolve(text: string, file: HeldFile | undefined, mount: Asking): Promise<Resolved> {
    const layer = layerPlaceOf(text);
    if (layer !== undefined) return await this.#stored(text, layer, mount);
    const place = placeOf(text);
    if (place.kind === 'directory') return await this.#directory(text, mount);
    if (place.kind !== 'file') return await this.#remote(text, place, mount);
    if (file === undefined || !fstatSync(file.fd).isFile()) {
      throw new CrfsError('CRFS_USAGE', 'not a regular file, and so no layer');
    }
    const openBlob = async (): Promise<LayerBlob> => localBlob(file);
    const identity = fileIdentity(fstatSync(file.fd, { bigint: true }));
    return { text, layers: [{ name: text, identity, shareKey: identity, openBlob }] };
  }

  async #directory(text: string, mount: Asking): Promise<Resolved> {
    const resolved = await resolveDirectory(text, mount);
    if (resolved.layers.length > 0) return resolved;
    const { emptyLayer } = await import('../sources/empty-layer.js');
    return { ...resolved, layers: [this.#layer(emptyLayer(), mount.lease)] };
  }

  async #remote(text: string, wanted: RemotePlace, { lease, trusted }: Asking): Promise<Resolved> {
    const { emptyLayer } = await import('../sources/empty-layer.js');
    const { openRemote } = await import('../sources/open.js');
    const client = await lease.client();
    const [{ image, stale }, { attachedTo }] = await Promise.all([
      this.#opened(text, wanted, trusted, (place, options) => openRemote(place, client, options)),
      import('./attached-to.js'), // while the registry answers
    ]);
    if (!trusted) this.#note(text, image);
    const layers = image.layers.length === 0 ? [emptyLayer()] : image.layers; // a mount has to show something
    const named = attachedTo(client, image);
    const isByName = trusted || digestIn(text) === undefined; // a digest stands for what it is of, and for nothing attached to that
    return {
      text: image.resolved,
      layers: layers.map((layer) => ({
        ...this.#layer(layer, lease),
        ...(isByName && named ? { indexed: named.indexOf(layer) } : {}),
      })),
      ...(named && { image: named.image }),
      ...(stale === undefined ? {} : { stale }),
    };
  }

  /** What `open` makes of a place; where its registry does not answer, of what its name stood for last: `stale` says so. */
  async #opened<Image extends { readonly resolved: string }>(
    text: string,
    place: RemotePlace,
    trusted: boolean,
    open: (place: RemotePlace, options: ManifestOptions) => Promise<Image>,
  ): Promise<{ readonly image: Image; readonly stale?: string }> {
    try {
      const image = await open(place, { store: this.#manifests, trusted });
      if (place.kind === 'image') await this.#write(this.#layout.manifest(text), Buffer.from(image.resolved));
      return { image };
    } catch (error) {
      const known = lastSeen(this.#layout, text, error);
      if (known === undefined) throw error;
      const { message } = error as Error;
      this.#log.warn({ configuration: text, resolved: known, error: message }, 'mounted what was seen last');
      const { image } = await this.#opened(known, placeOf(known) as RemotePlace, true, open);
      return { image, stale: takenAsSeenLast(message, shownConfiguration(known)) };
    }
  }

  /** A layer for a store: what is used already, as it was when that began, and whatever its image's name stands for by now. */
  async #stored(text: string, place: LayerPlace, { lease, trusted }: Asking): Promise<Resolved> {
    const used = layerPlaceOf(this.#references.find(text)?.resolved ?? '');
    const { name, digest } = used ?? place;
    const { describeLayer, openStoredImage } = await import('./stored-image.js');
    const client = await lease.client();
    const accepted = trusted || used !== undefined;
    const isKnown = (layer: RemoteLayer): boolean =>
      (used !== undefined && layer.digest === digest) || hasPlainIndex(this.#layout, layer);
    const asker = `${lease.number} ${accepted} ${used === undefined ? '' : digest} ${name}`;
    const found = await this.#images.find(asker, digest, async () => {
      const { image } = await this.#opened(name, { kind: 'image', name }, accepted, async (one, options) => {
        const opened = await openStoredImage((one as { name: string }).name, client, options, isKnown);
        const layers = opened.layers.map(({ remote }) => remote);
        if (!accepted && layers.length > 0) this.#note(name, { ...opened, layers });
        return opened;
      });
      return image;
    });
    if (found === undefined) {
      throw new CrfsError(
        'CRFS_NOT_FOUND',
        `${name}: has no layer ${digest} whose TOC the manifest names, or whose index is here`,
      );
    }
    const { image, layer } = found;
    const resolved = `${image.resolved}#${digest}`;
    const others = image.layers.filter((other) => other !== layer);
    return {
      text: resolved,
      layers: [this.#layer(layer.remote, lease)],
      lazy: used === undefined ? 'require' : 'index', // what is used has to be there again, also where its index is not
      siblings: others.map(({ remote }) => this.#layer(remote, lease)),
      stored: {
        size: layer.named.size,
        describe: (contentSize) => describeLayer(layer, digest, contentSize),
        refer: async (asked, { identity, record: { key } }, by) => {
          const { manifests } = image;
          return await this.#references.change({ asked, resolved, identity, key, manifests }, by);
        },
      },
    };
  }

  /** Keeps how an image wants to be run, for who runs it without its registry; `resolved` as in `Resolved`. Throws as resolve does. */
  async keepConfig(resolved: string, lease: ClientLease): Promise<void> {
    const place = placeOf(resolved);
    if (place.kind !== 'image') return;
    const { keepConfig } = await import('./stored-image.js');
    await keepConfig(place.name, await lease.client(), { store: this.#manifests, trusted: true });
  }

  /** For whoever asks what the cache holds; nothing that is served depends on it. */
  #note(text: string, { resolved, config, layers }: RemoteImage): void {
    const listed = layers.map(({ identity, digest = null, size = null }) => ({ identity, digest, size }));
    try {
      noteImage(this.#layout, {
        name: shownConfiguration(text),
        resolved: shownConfiguration(resolved),
        config,
        layers: listed,
      });
    } catch (error) {
      this.#log.warn(`cannot note of which image layers are: ${(error as Error).message}`);
    }
  }

  #layer(layer: RemoteLayer, lease: ClientLease): ResolvedLayer {
    const { name, identity, origin, digest, tocDigest, tocPosition } = layer;
    return {
      name,
      identity,
      shareKey: `${lease.number} ${origin} ${identity}`,
      ...(digest === undefined ? {} : { digest }),
      ...(tocDigest === undefined ? {} : { tocDigest: hexOf(tocDigest) }),
      ...(tocPosition === undefined ? {} : { tocPosition }),
      openBlob: (traffic, arrived) => remoteBlob(layer, this.#layout.blob(identity), traffic, arrived),
    };
  }

  async #write(path: string, bytes: Uint8Array): Promise<void> {
    const draft = this.#layout.draft(`manifest-${this.#drafts++}`);
    await writeFile(draft, bytes, { mode: 0o600 });
    await rename(draft, path);
  }
}

/** Whether the cache has the index of a layer that has no TOC, made out of the blob that its manifest names. */
function hasPlainIndex(layout: CacheLayout, { identity, digest }: RemoteLayer): boolean {
  const record = readIndexedRecord(layout, identity);
  if (record === undefined || digest === undefined || !isPlain(record.kind)) return false;
  return record.tocDigest === hexOf(digest);
}
