// SPDX-License-Identifier: GPL-3.0-or-later

import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CrfsError } from '../errors/error.js';

/** A configuration of a mount, by where its layers are. */
export type Place =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'image'; readonly name: string }
  | { readonly kind: 'directory'; readonly text: string };

/** One that is not on this machine. */
export type RemotePlace = Exclude<Place, { kind: 'file' | 'directory' }>;

/** One layer of an image: what stores ask for, and no person. */
export interface LayerPlace {
  /** Of the image. */
  readonly name: string;
  /** `sha256:…` of the layer's blob, or of its TOC. */
  readonly digest: string;
}

const LAYER = /^(docker:\/\/[^#]*)#(sha256:[0-9a-f]{64})$/;

/** The layer that a configuration of this form names, `docker://image#sha256:…`; undefined: it is of another one. */
export function layerPlaceOf(configuration: string): LayerPlace | undefined {
  const [, name, digest] = LAYER.exec(configuration) ?? [];
  return name === undefined || digest === undefined ? undefined : { name, digest };
}

/**
 * Tells what a configuration names: `/path` or `file:///path`, `https://…` or `http://…`, `docker://…`, `oci:/path[:TAG]` or `dir:/path`. Schemes of URLs may
 * have capitals (RFC 3986 section 3.1), transports of images may not.
 * Throws CRFS_USAGE for anything else.
 */
export function placeOf(configuration: string): Place {
  if (isAbsolute(configuration)) return { kind: 'file', path: configuration };
  if (/^file:/i.test(configuration)) return { kind: 'file', path: localPath(configuration) };
  if (/^https?:\/\//i.test(configuration)) return { kind: 'url', url: configuration };
  if (configuration.startsWith('docker://')) return { kind: 'image', name: configuration };
  if (/^(oci|dir):\//.test(configuration)) return { kind: 'directory', text: configuration };
  const known = '/path, file:///path, https://host/path, http://host/path, docker://image, oci:/path and dir:/path';
  throw new CrfsError('CRFS_USAGE', `${configuration}: names no layer; known are ${known}`);
}

function localPath(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    const form = 'write file:///PATH, with %25 for a % in it';
    throw new CrfsError('CRFS_USAGE', `${url} names no local file: ${form}`, { cause: error });
  }
}
