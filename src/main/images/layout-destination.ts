// SPDX-License-Identifier: GPL-3.0-or-later

/** Writes into an OCI layout: OCI image-layout specification. */

import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, open, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFully } from '../blob/spool.js';
import { spaceError } from '../blob/write-whole.js';
import { CrfsError } from '../errors/error.js';
import { digestOf, OCI_INDEX, parseManifest } from '../registry/manifest.js';
import type { BlobWriter, ImageDestination } from './ends.js';
import { blobPath, refName } from './layout-source.js';

type Annotations = Readonly<Record<string, string>>;

const layoutFile = '{"imageLayoutVersion":"1.0.0"}';

/**
 * A layout in a directory, which is made if it is not there; the image is published under `tag`, or without one, and with
 * further annotations in the layout's index.
 */
export async function layoutDestination(
  directory: string,
  tag: string | undefined,
  annotations: Annotations = {},
): Promise<ImageDestination> {
  const isNew = !existsSync(directory);
  if (!isNew && !existsSync(join(directory, 'oci-layout'))) {
    throw new CrfsError('CRFS_USAGE', `${directory} is there, but is no OCI layout: name a new directory`);
  }
  await mkdir(join(directory, 'blobs/sha256'), { recursive: true });
  return new LayoutDestination(directory, isNew, tag, annotations);
}

class LayoutDestination implements ImageDestination {
  readonly name: string;
  readonly ociOnly = true;
  readonly oneImage = false;
  readonly #directory: string;
  readonly #tag: string | undefined;
  readonly #isNew: boolean;
  readonly #annotations: Annotations;
  /** Blobs that were not there before: they go again if the image is not published. */
  readonly #written = new Set<string>();
  #published = false;

  constructor(directory: string, isNew: boolean, tag: string | undefined, annotations: Annotations) {
    this.name = tag === undefined ? directory : `${directory}:${tag}`;
    this.#directory = directory;
    this.#tag = tag;
    this.#isNew = isNew;
    this.#annotations = tag === undefined ? annotations : { [refName]: tag, ...annotations };
  }

  async hasBlob(digest: string): Promise<boolean> {
    return existsSync(this.#path(digest));
  }

  async beginBlob(): Promise<BlobWriter> {
    const temporary = join(this.#directory, `blobs/.${randomBytes(8).toString('hex')}.part`);
    const file = await open(temporary, 'wx');
    let size = 0;
    return {
      write: async (bytes) => {
        await writeFully(file, bytes, size).catch((error: unknown) => {
          throw spaceError(this.name, error);
        });
        size += bytes.length;
      },
      commit: async (digest) => {
        await file.sync();
        await file.close();
        if (!existsSync(this.#path(digest))) this.#written.add(digest);
        await rename(temporary, this.#path(digest));
      },
      cancel: async () => {
        await file.close();
        await rm(temporary, { force: true });
      },
    };
  }

  async putManifest(_mediaType: string, bytes: Uint8Array): Promise<void> {
    const blob = await this.beginBlob();
    await blob.write(bytes);
    await blob.commit(digestOf(bytes));
  }

  async publish(mediaType: string, bytes: Uint8Array): Promise<void> {
    await this.putManifest(mediaType, bytes);
    const annotations = this.#annotations;
    const named = Object.keys(annotations).length > 0 ? { annotations } : {};
    const entry = { mediaType, digest: digestOf(bytes), size: bytes.length, ...named };
    const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [...this.#others(), entry] };
    await this.#replace('oci-layout', layoutFile);
    await this.#replace('index.json', JSON.stringify(index));
    this.#published = true;
  }

  async close(): Promise<void> {
    if (this.#published) return;
    for (const digest of this.#written) await rm(this.#path(digest), { force: true });
    if (!this.#isNew) return;
    for (const made of ['blobs/sha256', 'blobs', '.']) await rmdir(join(this.#directory, made));
  }

  /** What the layout's index holds but for what our tag stands for so far. */
  #others(): unknown[] {
    const path = join(this.#directory, 'index.json');
    if (!existsSync(path)) return [];
    const bytes = readFileSync(path);
    parseManifest(bytes, OCI_INDEX, path);
    const { manifests } = JSON.parse(bytes.toString()) as { manifests: { annotations?: Record<string, string> }[] };
    return manifests.filter(({ annotations }) => annotations?.[refName] !== this.#tag);
  }

  async #replace(name: string, content: string): Promise<void> {
    const temporary = join(this.#directory, `.${name}.${randomBytes(8).toString('hex')}.part`);
    await writeFile(temporary, content);
    await rename(temporary, join(this.#directory, name));
  }

  #path(digest: string): string {
    return join(this.#directory, blobPath(digest));
  }
}
