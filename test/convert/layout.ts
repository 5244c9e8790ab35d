// SPDX-License-Identifier: GPL-3.0-or-later

/** OCI layouts as sources for tests. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { sha256 } from '../tools/read-layer.js';
import { type TarEntry, tarEnd, tarEntry } from '../tools/tar-writer.js';

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Record<string, string>;
  readonly platform?: object;
}

export interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations?: Record<string, string>;
}

export interface Config {
  readonly architecture: string;
  readonly rootfs: { readonly diff_ids: readonly string[] };
  readonly history: readonly object[];
  readonly config: object;
}

export const types = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
};

export const history = [
  { created_by: 'first' },
  { created_by: 'nothing', empty_layer: true },
  { created_by: 'second' },
];

export class Layout {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
    mkdirSync(join(directory, 'blobs/sha256'), { recursive: true });
    writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  }

  put(mediaType: string, bytes: Uint8Array): Descriptor {
    const digest = sha256(bytes);
    writeFileSync(this.path(digest), bytes);
    return { mediaType, digest, size: bytes.length };
  }

  putJson(mediaType: string, value: unknown): Descriptor {
    return this.put(mediaType, Buffer.from(JSON.stringify(value)));
  }

  /** Writes an image of tar.gz layers; resolves to its descriptor. */
  image(layers: readonly (readonly TarEntry[])[], platform = { os: 'linux', architecture: 'amd64' }): Descriptor {
    const tars = layers.map((entries) => Buffer.concat([...entries.map((entry) => tarEntry(entry)), tarEnd]));
    const config = this.putJson(types.config, {
      ...platform,
      config: { Env: ['A=1'], Labels: { kept: 'yes' } },
      rootfs: { type: 'layers', diff_ids: tars.map(sha256) },
      history,
    });
    const descriptors = tars.map((tar) => ({
      ...this.put(types.layer, gzipSync(tar)),
      annotations: { 'org.example.kept': 'yes' },
    }));
    const annotations = { 'org.example.image': 'yes' };
    const content = { schemaVersion: 2, mediaType: types.manifest, config, layers: descriptors, annotations };
    return { ...this.putJson(types.manifest, content), platform };
  }

  /** Says which images there are, by their tags. */
  index(images: Readonly<Record<string, Descriptor>>): void {
    const manifests = Object.entries(images).map(([tag, image]) => ({
      ...image,
      annotations: { 'org.opencontainers.image.ref.name': tag },
    }));
    writeFileSync(join(this.directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  }

  path(digest: string): string {
    return join(this.directory, 'blobs', digest.replace(':', '/'));
  }

  read(digest: string): unknown {
    return JSON.parse(readFileSync(this.path(digest), 'utf8'));
  }

  config({ config }: Manifest): Config {
    return this.read(config.digest) as Config;
  }

  manifest(tag: string): Manifest {
    const { manifests } = JSON.parse(readFileSync(join(this.directory, 'index.json'), 'utf8')) as {
      manifests: Descriptor[];
    };
    const found = manifests.find(({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === tag);
    return this.read(found?.digest ?? '') as Manifest;
  }

  /** What a layer inflates to has this digest. */
  diffId({ digest }: Descriptor): string {
    return sha256(gunzipSync(readFileSync(this.path(digest))));
  }
}
