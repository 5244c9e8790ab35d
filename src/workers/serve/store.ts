// SPDX-License-Identifier: GPL-3.0-or-later

import {
  closeSync,
  constants,
  fchmodSync,
  ftruncateSync,
  futimesSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { jobDraft, objectPath } from '../../main/disk/cache-layout.js';

const CREATE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const READ_ONLY = 0o400;
const WRITABLE = 0o600;

/** Where objects come to be: half-filled files in one directory, renamed into another when they are whole. */
export class Store {
  readonly #objects: string;
  readonly #tmp: string;

  constructor(objects: string, tmp: string) {
    this.#objects = objects;
    this.#tmp = tmp;
  }

  /** Whether the object `name` is there, and whole. */
  has(name: string, size: number): boolean {
    return statSync(this.#path(name), { throwIfNoEntry: false })?.size === size;
  }

  /** A new file for a job, which others can open if it is `shared`. Returns its descriptor. */
  create(job: number, shared: boolean): number {
    const mode = shared ? WRITABLE : READ_ONLY;
    const draft = this.#draft(job);
    return within(draft, () => {
      try {
        return openSync(draft, CREATE, mode);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      rmSync(draft); // a worker died over it
      return openSync(draft, CREATE, mode);
    });
  }

  /** A descriptor of one's own on the file of a job. */
  open(job: number): number {
    return openSync(this.#draft(job), constants.O_RDWR | constants.O_NOFOLLOW);
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

  /** Gives a file that was shared, and made longer than what it holds, its length and mode. */
  unshare(fd: number, size: number): void {
    ftruncateSync(fd, size);
    fchmodSync(fd, READ_ONLY);
  }

  /** Makes the whole and checked file of a job, open at `fd`, the object `name`, and notes its generation. */
  publish(job: number, fd: number, name: string, generation: number): void {
    const object = this.#path(name);
    futimesSync(fd, Date.now() / 1000, generation);
    within(object, () => renameSync(this.#draft(job), object));
  }

  close(fd: number): void {
    closeSync(fd);
  }

  /** Throws the file of a job away. */
  discard(job: number): void {
    rmSync(this.#draft(job), { force: true });
  }

  #path(name: string): string {
    return objectPath(this.#objects, name);
  }

  #draft(job: number): string {
    return jobDraft(this.#tmp, job);
  }
}

/** Does what needs the directory of a path, which is made if it is not there. */
function within<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  try {
    mkdirSync(dirname(path), { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // another worker was faster
  }
  return act();
}
