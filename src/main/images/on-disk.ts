// SPDX-License-Identifier: GPL-3.0-or-later

/** Images on disk whose layers are files of their own, which can be mounted where they lie. */

import { resolve } from 'node:path';
import { CrfsError } from '../errors/error.js';
import type { RegistryClient } from '../registry/client.js';
import { isIndex } from '../registry/manifest.js';
import { type NamedToc, namedToc } from '../registry/named-toc.js';
import { choosePlatform, machinePlatform } from '../registry/platform.js';
import { openLocalSource } from './open.js';

export interface LayerOnDisk extends NamedToc {
  readonly name: string;
  /** Of its blob, as the manifest says. */
  readonly digest: string;
  /** Of its file. */
  readonly path: string;
}

export interface ImageOnDisk {
  /** Names this very image, by digest, whatever its tag stands for later. */
  readonly resolved: string;
  /** The base first. */
  readonly layers: readonly LayerOnDisk[];
}

/**
 * The image that `oci:DIR[:TAG]` or `dir:DIR` names, of an index the one for this machine. `trusted`: no policy is asked.
 * Rejects as reading it does, and with CRFS_DENIED where the policy does not accept it.
 */
export async function imageOnDisk(text: string, client: RegistryClient, trusted: boolean): Promise<ImageOnDisk> {
  const source = await openLocalSource(text, client, { trusted });
  if (source?.pathOf === undefined) throw new CrfsError('CRFS_USAGE', `${text}: names no image in a directory`);
  const { name, pathOf } = source;
  try {
    let found = await source.top();
    while (isIndex(found)) found = await source.manifest(choosePlatform(found, machinePlatform(), name).digest);
    const layers = found.layers.map((layer) => ({
      name: `layer ${layer.digest}`,
      digest: layer.digest,
      path: resolve(pathOf(layer)),
      ...namedToc(layer, name),
    }));
    return { resolved: text.startsWith('oci:') ? byDigest(text, found.digest) : text, layers };
  } finally {
    await source.close();
  }
}

function byDigest(text: string, digest: string): string {
  const [transport, directory] = text.split(':', 2);
  return `${transport}:${directory}:@${digest}`;
}
