// SPDX-License-Identifier: GPL-3.0-or-later

/** Manifests and indexes, OCI and Docker schema 2: bytes from strangers, made into checked values. */

import { digestOf, isDigest } from '../blob/digest.js';
import { CrfsError } from '../errors/error.js';
import { oneLine } from '../http/failure.js';
import type { Descriptor, ImageIndex, ImageManifest, Platform } from './types.js';

/** Bytes; what registries themselves accept at most (distribution specification, "Pushing Manifests"). */
export const MANIFEST_LIMIT = 4 << 20;

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';

const MANIFESTS: readonly string[] = [OCI_MANIFEST, DOCKER_MANIFEST];
const INDEXES: readonly string[] = [OCI_INDEX, DOCKER_LIST];

/** For the Accept header. */
export const ACCEPTED = [...MANIFESTS, ...INDEXES].join(', ');

type Table = Readonly<Record<string, unknown>>;

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A field of a table as strangers write it, whatever stands in its prototype. */
function field(table: Table, key: string): unknown {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

/** A media type without parameters; empty if there is none. */
function bareType(value: unknown): string {
  return typeof value === 'string' ? (value.split(';', 1)[0] ?? '').trim().toLowerCase().slice(0, 255) : '';
}

/** What stands where something else should, for messages. */
function shown(value: unknown): string {
  return typeof value === 'string' ? `: ${JSON.stringify(oneLine(value, 80))}` : '';
}

class Parser {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  bad(what: string): CrfsError {
    return new CrfsError('CRFS_BAD_LAYER', `the manifest of ${this.#name} is broken: ${what}`);
  }

  top(bytes: Uint8Array): Table {
    let value: unknown;
    try {
      value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    } catch (error) {
      throw this.bad(`not JSON (${error instanceof Error ? oneLine(error.message, 80) : ''})`);
    }
    if (!isTable(value)) throw this.bad('not an object');
    return value;
  }

  list(table: Table, key: string): readonly Table[] {
    const value = field(table, key) === null ? [] : field(table, key); // Go's encoder writes null for an empty list
    if (!Array.isArray(value) || !value.every(isTable)) throw this.bad(`${key} is not a list of objects`);
    return value;
  }

  annotations(table: Table): Readonly<Record<string, string>> {
    const value = field(table, 'annotations') ?? {};
    if (!isTable(value)) throw this.bad('annotations are not an object');
    const entries = Object.entries(value).filter(([, text]) => text !== null);
    if (!entries.every((entry): entry is [string, string] => typeof entry[1] === 'string'))
      throw this.bad('an annotation is not a string');
    return Object.fromEntries(entries);
  }

  descriptor(value: unknown, what: string): Descriptor {
    if (!isTable(value)) throw this.bad(`${what} is not a descriptor`);
    const [mediaType, digest, size] = ['mediaType', 'digest', 'size'].map((key) => field(value, key));
    if (typeof (mediaType ?? '') !== 'string') throw this.bad(`${what} has no media type`);
    if (!isDigest(digest)) throw this.bad(`${what} has no sha256 digest${shown(digest)}`);
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
      throw this.bad(`${what} has no usable size`);
    return { mediaType: bareType(mediaType), digest, size, annotations: this.annotations(value) };
  }

  platform(table: Table): Platform | undefined {
    const value = field(table, 'platform');
    if (value === undefined || value === null) return undefined;
    if (!isTable(value)) throw this.bad('a platform is not an object');
    const [os, architecture, variant] = ['os', 'architecture', 'variant'].map((key) => field(value, key) ?? '');
    if (typeof os !== 'string' || typeof architecture !== 'string' || typeof variant !== 'string')
      throw this.bad('a platform is not of strings');
    if (os === '' && architecture === '') return undefined;
    return { os, architecture, ...(variant !== '' && { variant }) };
  }
}

/**
 * Parses what a registry served as `contentType`, under `name` in messages. The manifest's own mediaType wins, but what it holds
 * must fit: never both layers and manifests. Throws CRFS_BAD_LAYER.
 */
export function parseManifest(
  bytes: Uint8Array,
  contentType: string | undefined,
  name: string,
): ImageManifest | ImageIndex {
  const parser = new Parser(name);
  const top = parser.top(bytes);
  const stated = field(top, 'mediaType');
  const mediaType = bareType(stated) || impliedType(top, contentType);
  const version = field(top, 'schemaVersion');
  if (version === 1) throw parser.bad("it is of Docker's schema 1, which is given up: push the image anew");
  if (version !== 2) throw parser.bad('its schema version is not 2; convert the image to a current format');
  if (
    field(top, 'manifests') !== undefined &&
    (field(top, 'layers') !== undefined || field(top, 'config') !== undefined)
  ) {
    throw parser.bad('it claims to be both an image and an index');
  }
  const common = { mediaType, digest: digestOf(bytes), bytes };
  if (INDEXES.includes(mediaType)) {
    const manifests = parser.list(top, 'manifests').map((entry) => {
      const platform = parser.platform(entry);
      return { ...parser.descriptor(entry, 'a manifest'), ...(platform && { platform }) };
    });
    return { ...common, manifests };
  }
  if (!MANIFESTS.includes(mediaType))
    throw parser.bad(`its media type is ${JSON.stringify(oneLine(mediaType, 100))}, not an image's`);
  const config = parser.descriptor(field(top, 'config'), 'its config');
  const layers = parser.list(top, 'layers').map((layer, index) => parser.descriptor(layer, `layer ${index + 1}`));
  return { ...common, config, layers, annotations: parser.annotations(top) };
}

/** OCI manifests need not state their type: then the header tells, or, where it does not (or the manifest was kept), their shape. */
function impliedType(top: Table, contentType: string | undefined): string {
  const served = bareType(contentType);
  if (MANIFESTS.includes(served) || INDEXES.includes(served)) return served;
  return field(top, 'manifests') === undefined ? OCI_MANIFEST : OCI_INDEX;
}

/** Whether it is an index, or manifest list. */
export function isIndex(manifest: ImageManifest | ImageIndex): manifest is ImageIndex {
  return 'manifests' in manifest;
}
