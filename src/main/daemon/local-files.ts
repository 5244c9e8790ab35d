// SPDX-License-Identifier: GPL-3.0-or-later

/** Layers in files: served where they lie. */

import { constants, fstatSync, openSync } from 'node:fs';
import { hexOf } from '../blob/digest.js';
import { HeldFile } from '../blob/held-file.js';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';
import { type LayerBlob, localBlob } from '../fetch/layer-blob.js';
import type { LayerOnDisk } from '../images/on-disk.js';
import { fileIdentity } from '../sources/file.js';
import type { Asking, Resolved, ResolvedLayer } from './resolved.js';

/** The layers of an image in a directory, `oci:DIR[:TAG]` or `dir:DIR`. Throws as reading it does, and if a layer is not there. */
export async function resolveDirectory(text: string, { lease, trusted }: Asking): Promise<Resolved> {
  const { imageOnDisk } = await import('../images/on-disk.js');
  const image = await imageOnDisk(text, await lease.client(), trusted);
  return { text: image.resolved, layers: image.layers.map(layerIn) };
}

function layerIn({ name, path, tocDigest, ...at }: LayerOnDisk): ResolvedLayer {
  const file = openRegular(path, name);
  const identity = identityOf(file);
  file.release();
  const openBlob = async (): Promise<LayerBlob> => {
    const again = openRegular(path, name);
    if (identityOf(again) === identity) return localBlob(again);
    again.release();
    throw new CrfsError('CRFS_DIGEST', `${name}: ${path} is just being changed`);
  };
  const toc = tocDigest === undefined ? {} : { tocDigest: hexOf(tocDigest) };
  return { ...at, name, identity, shareKey: identity, ...toc, openBlob };
}

function identityOf({ fd }: HeldFile): string {
  return fileIdentity(fstatSync(fd, { bigint: true }));
}

/** Opens the file of a layer; never waits. Throws CRFS_NOT_FOUND, and CRFS_USAGE for what is no regular file. */
function openRegular(path: string, name: string): HeldFile {
  let file: HeldFile;
  try {
    file = new HeldFile(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY));
  } catch (error) {
    throw new CrfsError('CRFS_NOT_FOUND', `${name}: cannot open ${path}: ${reasonOf(error)}`, { cause: error });
  }
  if (fstatSync(file.fd).isFile()) return file;
  file.release();
  throw new CrfsError('CRFS_USAGE', `${name}: ${path} is no regular file`);
}
