// SPDX-License-Identifier: GPL-3.0-or-later

/** Writes into an OCI layout: OCI image-layout specification. */

import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, open, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { addon } from '../../native/addon.js';
import { digestOf } from '../blob/digest.js';
import { fileSink } from '../blob/file-sink.js';
import { spaceError } from '../blob/write-whole.js';
import { makeDirectories } from '../disk/make-directories.js';
import { CrfsError } from '../errors/error.js';
import { isNoSpace } from '../errors/no-space.js';
import { reasonOf } from '../errors/reason.js';
import { OCI_INDEX, parseIndex } from '../registry/manifest.js';
import { jsonOf, parseJson, type Told } from '../schema/check.js';
import { blobPath, REF_NAME } from './layout-source.js';
import type { BlobWriter, ImageDestination } from './types.js';
import { writeBlob } from './write-blob.js';

type Annotations = Readonly<Record<string, string>>;

const LAYOUT_FILE = '{"imageLayoutVersion":"1.0.0"}';
/** How the directory is named in which one conversion keeps what is not published yet. */
const STAGING = '.crfs-';

/** How often to look whether another conversion has written its index. */
const LOCK_MS = 10;

/**
 * A layout in a directory, which is made if it is not there; the image is published under `tag`, or without one, and with
 * further annotations in the layout's index. Errors call it `name`. Several may write into one layout at the same time.
 */
export async function layoutDestination(
  directory: string,
  tag: string | undefined,
  annotations: Annotations = {},
  name = tag === undefined ? directory : `${directory}:${tag}`,
): Promise<ImageDestination> {
  if (!isLayout(directory)) {
    throw new CrfsError('CRFS_BUSY', `${directory} is there, but is no OCI layout: name a new directory`);
  }
  try {
    const made = makeDirectories(directory);
    const staging = await mkdtemp(join(directory, STAGING));
    return new LayoutDestination({ directory, staging, isNew: made !== undefined }, name, tag, annotations);
  } catch (error) {
    throw cannotWrite(directory, error);
  }
}

/** Whether a layout is in a directory, or is being made in it, or may be. */
function isLayout(directory: string): boolean {
  if (!existsSync(directory)) return true;
  if (!statSync(directory).isDirectory()) return false;
  const names = readdirSync(directory);
  return names.includes('oci-layout') || names.every((name) => name === 'blobs' || name.startsWith(STAGING));
}

/** The error to show for one of the file system's: CRFS_NO_SPACE or CRFS_DENIED; others as they are. */
function cannotWrite(path: string, error: unknown): unknown {
  if (error instanceof CrfsError || !(error instanceof Error) || !('syscall' in error)) return error;
  if (isNoSpace(error)) return spaceError(path, error);
  return new CrfsError('CRFS_DENIED', `cannot write ${path}: ${reasonOf(error)}`, { cause: error });
}

interface Where {
  readonly directory: string;
  /** The directory of what is not published yet: it goes with the conversion. */
  readonly staging: string;
  /** Whether `directory` was made for this image. */
  readonly isNew: boolean;
}

class LayoutDestination implements ImageDestination {
  readonly name: string;
  readonly ociOnly = true;
  readonly oneImage = false;
  readonly #where: Where;
  readonly #tag: string | undefined;
  readonly #annotations: Annotations;
  /** Digests of the blobs in `staging`. */
  readonly #staged = new Set<string>();
  #published = false;

  constructor(where: Where, name: string, tag: string | undefined, annotations: Annotations) {
    this.name = name;
    this.#where = where;
    this.#tag = tag;
    this.#annotations = tag === undefined ? annotations : { [REF_NAME]: tag, ...annotations };
  }

  async hasBlob(digest: string): Promise<boolean> {
    return this.#staged.has(digest) || existsSync(this.#path(digest));
  }

  async beginBlob(): Promise<BlobWriter> {
    const temporary = join(this.#where.staging, `${randomBytes(8).toString('hex')}.part`);
    const guarded = async <T>(work: Promise<T>): Promise<T> => {
      try {
        return await work;
      } catch (error) {
        throw cannotWrite(this.name, error);
      }
    };
    const file = await guarded(open(temporary, 'wx'));
    const sink = fileSink(file);
    return {
      write: (bytes) => guarded(sink.write(bytes)),
      commit: async (digest) => {
        await guarded(file.sync());
        await file.close();
        await guarded(rename(temporary, this.#stagedPath(digest)));
        this.#staged.add(digest);
      },
      cancel: async () => {
        await file.close();
        await rm(temporary, { force: true });
      },
    };
  }

  async putManifest(_mediaType: string, bytes: Uint8Array): Promise<void> {
    await writeBlob(
      () => this.beginBlob(),
      async (sink) => {
        await sink.write(bytes);
        return { digest: digestOf(bytes) };
      },
    );
  }

  async publish(mediaType: string, bytes: Uint8Array): Promise<void> {
    await this.putManifest(mediaType, bytes);
    const annotations = this.#annotations;
    const named = Object.keys(annotations).length > 0 ? { annotations } : {};
    const entry = { mediaType, digest: digestOf(bytes), size: bytes.length, ...named };
    const unlock = await this.#lock();
    try {
      const manifests = [...this.#others(), entry];
      const told: Told = { where: this.name, code: 'CRFS_BAD_LAYER' };
      const index = jsonOf({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }, told);
      makeDirectories(join(this.#where.directory, 'blobs/sha256'));
      for (const digest of this.#staged) await rename(this.#stagedPath(digest), this.#path(digest));
      await this.#replace('oci-layout', LAYOUT_FILE);
      await this.#replace('index.json', index);
      this.#published = true;
    } catch (error) {
      throw cannotWrite(this.name, error);
    } finally {
      unlock();
    }
  }

  async close(): Promise<void> {
    const { directory, staging, isNew } = this.#where;
    await rm(staging, { recursive: true, force: true });
    if (this.#published || !isNew) return;
    await rmdir(directory).catch(() => undefined); // unless others have begun to write into it
  }

  /** One conversion at a time changes the layout: whoever has locked its directory. */
  async #lock(): Promise<() => void> {
    const fd = openSync(this.#where.directory, 'r');
    try {
      while (!addon.lock(fd)) await sleep(LOCK_MS);
      return () => closeSync(fd);
    } catch (error) {
      closeSync(fd);
      throw cannotWrite(this.name, error);
    }
  }

  /** The entries of the layout's index, without the one that our tag stands for so far. */
  #others(): unknown[] {
    const path = join(this.#where.directory, 'index.json');
    if (!existsSync(path)) return [];
    const bytes = readFileSync(path);
    const { manifests } = parseIndex(bytes, path);
    const written = parseJson(bytes, { where: path, code: 'CRFS_BAD_LAYER' }) as {
      readonly manifests: unknown[] | null;
    };
    return (written.manifests ?? []).filter((_, place) => manifests[place]?.annotations[REF_NAME] !== this.#tag);
  }

  /** Writes a file of the layout, whole or not at all. */
  async #replace(name: string, content: string | Uint8Array): Promise<void> {
    const temporary = join(this.#where.staging, name);
    await writeFile(temporary, content);
    await rename(temporary, join(this.#where.directory, name));
  }

  #path(digest: string): string {
    return join(this.#where.directory, blobPath(digest));
  }

  #stagedPath(digest: string): string {
    return join(this.#where.staging, digest.replace(':', '-'));
  }
}
