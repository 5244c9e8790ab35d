// SPDX-License-Identifier: GPL-3.0-or-later

import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  futimesSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { jobDraft, jobDrafts, objectPath } from '../../main/disk/cache-layout.js';
import { createAnew, inDirectory } from '../../main/disk/in-directory.js';
import { Draft, draftLength } from './draft.js';

const READ_ONLY = 0o400;
const WRITABLE = 0o600;

/** Directories of the cache: csrc/shared/draft.h tells what drafts are. */
export interface StoreDirectories {
  readonly objects: string;
  readonly drafts: string;
  readonly tmp: string;
}

/** The object that a file becomes. */
export interface ObjectFacts {
  readonly objectName: string;
  /** Bytes. */
  readonly size: number;
  /** Chunks of the file. */
  readonly chunks: number;
}

/**
 * Where objects come to be. What nothing is read of before it is whole is filled in a file of its job's own, and files
 * whose chunks are read one by one in a draft that has the object's name; either is renamed when it is whole.
 */
export class Store {
  readonly #directories: StoreDirectories;
  readonly #worker: number;

  /** `worker`: the number of the worker that uses it. */
  constructor(directories: StoreDirectories, worker: number) {
    this.#directories = directories;
    this.#worker = worker;
  }

  /** Whether the cache was not removed, nor a part of it: else nothing can be filled. */
  isThere(): boolean {
    const { objects, drafts, tmp } = this.#directories;
    return [objects, drafts, tmp].every((path) => existsSync(path));
  }

  /** Whether the object `name` is there, and whole. */
  has(name: string, size: number): boolean {
    return statSync(this.#object(name), { throwIfNoEntry: false })?.size === size;
  }

  /** A new file for a job, which other workers can open if its chunks are several. Returns its descriptor. */
  create(job: number, { objectName, chunks }: ObjectFacts): number {
    return createAnew(this.#ofJob(job, objectName), chunks > 1 ? WRITABLE : READ_ONLY);
  }

  /** A descriptor of one's own on the file of a job. */
  open(job: number, { objectName }: ObjectFacts): number {
    return openSync(this.#ofJob(job, objectName), constants.O_RDWR | constants.O_NOFOLLOW);
  }

  /** The draft of an object, made if there is none: it has its full length as soon as it has its name. */
  openDraft({ objectName, size, chunks }: ObjectFacts): Draft {
    const path = this.#draft(objectName);
    const length = draftLength(size, chunks);
    for (;;) {
      const fd = openIfThere(path);
      if (fd !== undefined) {
        const found = fstatSync(fd).size;
        const draft = new Draft(fd, size, chunks);
        if (found === length || (found === size && draft.isPublished(path))) return draft;
        rmSync(path, { force: true }); // no draft of ours, or one whose daemon died over publishing it
        closeSync(fd);
      }
      this.#makeDraft(path, length);
    }
  }

  /** Makes a file this long, without taking space for it. */
  resize(fd: number, size: number): void {
    ftruncateSync(fd, size);
  }

  write(fd: number, content: Uint8Array, offset: number): void {
    for (let done = 0; done < content.length; ) {
      done += writeSync(fd, content, done, content.length - done, offset + done);
    }
  }

  /** Makes the whole and checked file of a job, open at `fd`, the object `name` of a generation. */
  publish(job: number, fd: number, { objectName, size, chunks }: ObjectFacts, generation: number): void {
    if (chunks > 1) ftruncateSync(fd, size);
    this.#publish(this.#ofJob(job, objectName), fd, objectName, generation);
    if (chunks > 1) fchmodSync(fd, READ_ONLY);
  }

  /** The same for a draft. */
  publishDraft(draft: Draft, { objectName, size }: ObjectFacts, generation: number): void {
    ftruncateSync(draft.fd, size);
    this.#publish(this.#draft(objectName), draft.fd, objectName, generation);
    fchmodSync(draft.fd, READ_ONLY); // not before: until it is renamed, others open it to fill it
  }

  close(fd: number): void {
    closeSync(fd);
  }

  /** Throws the file of a job away, whatever it was to become. */
  discard(job: number): void {
    for (const path of jobDrafts(this.#directories.tmp, job)) rmSync(path, { force: true });
  }

  #publish(path: string, fd: number, name: string, generation: number): void {
    const object = this.#object(name);
    futimesSync(fd, Date.now() / 1000, generation);
    inDirectory(object, () => renameSync(path, object));
  }

  #makeDraft(path: string, length: number): void {
    const fresh = `${this.#directories.tmp}/draft-${this.#worker}`;
    const fd = createAnew(fresh, WRITABLE);
    try {
      ftruncateSync(fd, length);
      inDirectory(path, () => linkSync(fresh, path));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // another worker was faster
    } finally {
      closeSync(fd);
      rmSync(fresh, { force: true });
    }
  }

  #object(name: string): string {
    return objectPath(this.#directories.objects, name);
  }

  #draft(name: string): string {
    return objectPath(this.#directories.drafts, name);
  }

  #ofJob(job: number, name: string): string {
    return jobDraft(this.#directories.tmp, name, job);
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
