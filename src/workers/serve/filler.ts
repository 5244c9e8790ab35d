// SPDX-License-Identifier: GPL-3.0-or-later

import { constants } from 'node:os';
import { checkDigest } from '../../main/index/check-digest.js';
import { addon } from '../../native/addon.js';
import type { Board } from '../board/board.js';
import { type MemberReader, SLACK } from '../decode/member-reader.js';
import type { Report } from '../messages.js';
import { missingLibraries } from '../prefetch/libraries.js';
import { ChunkFiller } from './chunk-filler.js';
import { describeFault, isOfBytes } from './fault.js';
import { Filling } from './filling.js';
import { fileContent } from './running-digest.js';
import type { ServedLayer } from './served-layer.js';
import type { ServedLayers } from './served-layers.js';
import type { Store } from './store.js';

/** Before a request is asked again because the cache lacks a directory. */
const AGAIN_PAUSE_MS = 200;

/** What a step of a job reads: chunks of the layer. */
interface Read {
  readonly first: number;
  readonly count: number;
  /** Whether their bytes were final before any of them was read. */
  readonly isFinal: boolean;
}

const NOTHING: Read = { first: 0, count: 0, isFinal: true };

const { EAGAIN, EINVAL } = constants.errno;

export interface FillerParts {
  /** The worker's number, and how many there may be. */
  readonly worker: number;
  readonly workers: number;
  readonly board: Board;
  readonly layers: ServedLayers;
  readonly store: Store;
  readonly members: MemberReader;
  readonly report: (report: Report) => void;
}

/** Fills the objects of files, alone or together with the other workers. */
export class Filler {
  readonly #worker: number;
  readonly #workers: number;
  readonly #board: Board;
  readonly #layers: ServedLayers;
  readonly #store: Store;
  readonly #members: MemberReader;
  readonly #chunks: ChunkFiller;
  readonly #report: (report: Report) => void;
  #failed = false;

  constructor({ worker, workers, board, layers, store, members, report }: FillerParts) {
    this.#worker = worker;
    this.#workers = workers;
    this.#board = board;
    this.#layers = layers;
    this.#store = store;
    this.#members = members;
    this.#chunks = new ChunkFiller(store, members);
    this.#report = report;
  }

  /** Whether a step of a job has failed since this was last asked. */
  hasFailed(): boolean {
    const failed = this.#failed;
    this.#failed = false;
    return failed;
  }

  /** Sees to a request that this worker took: fills its file, joins those who do, or has its chunks fetched first. */
  serve(ring: number, position: number, layer: ServedLayer | undefined, inode: number): void {
    this.#board.counters.add('requests', 1);
    if (!layer?.hasContent(inode)) addon.complete(ring, position, EINVAL);
    else if (!layer.has(inode) && !this.#store.has(layer.index.objectName(inode), layer.index.size(inode))) {
      this.#report({ want: { layer: layer.number, inode, ring, position } });
    } else if (this.fill(layer, inode) === 'full') addon.complete(ring, position, EAGAIN);
    this.#board.answered(this.#worker);
  }

  /**
   * Fills the object of a file unless it is there. Requests that wait for it are answered.
   * Returns 'joined' if others are at it already, and 'full' if the board has no room to wait.
   */
  fill(layer: ServedLayer, inode: number): 'filled' | 'joined' | 'full' {
    const { job, created } = this.#board.join(this.#worker, layer.number, inode, layer.index.chunkCount(inode));
    if (job < 0) return 'full';
    if (!created) return 'joined';
    const filling = new Filling(job, layer, inode);
    const { first, chunks, objectName, size } = filling;
    if (layer.isFinal(first, chunks)) this.#board.markFinal(job);
    this.#attempt(filling, () => {
      if (this.#store.has(objectName, size)) this.#board.cancel(job);
      else filling.fd = this.#store.create(job, chunks > 1);
      if (filling.fd < 0 || chunks === 1) return;
      this.#store.resize(filling.fd, size + SLACK);
      this.#board.share(job);
      addon.doorbellRing(Math.min(chunks, this.#workers) - 1);
    });
    this.#work(filling);
    return 'filled';
  }

  /** Helps with a file that another worker has begun. Returns false if there is none. */
  help(): boolean {
    const job = this.#board.help(this.#worker);
    if (job < 0) return false;
    const { layer: number, inode } = this.#board.describe(job);
    const layer = this.#layers.get(number);
    if (layer === undefined) {
      this.#board.fail(job, EAGAIN); // its mount is gone
      if (this.#board.leave(this.#worker, job)) this.#end(job, -1);
      return true;
    }
    const filling = new Filling(job, layer, inode);
    this.#attempt(filling, () => {
      filling.fd = this.#store.open(job);
    });
    this.#work(filling);
    return true;
  }

  /** Fills chunks until none is unclaimed. Whoever leaves last ends the job. */
  #work(filling: Filling): void {
    const { job, layer, first } = filling;
    for (let n = this.#board.claim(job); n >= 0; n = this.#board.claim(job)) {
      const chunk = first + n;
      const step = (): void => {
        this.#chunks.fill(filling, chunk);
        this.#board.counters.add('inflatedBytes', layer.index.chunkSize(chunk));
      };
      this.#attempt(filling, step, { first: chunk, count: 1, isFinal: layer.isFinal(chunk, 1) });
    }
    if (this.#board.leave(this.#worker, job)) this.#finish(filling);
    else if (filling.fd >= 0) this.#store.close(filling.fd);
  }

  #finish(filling: Filling): void {
    const { job, first, chunks, running, fd } = filling;
    const { error, isFinal } = this.#board.describe(job);
    if (error === 0 && fd >= 0) {
      this.#attempt(filling, () => this.#publish(filling), running ? { first, count: chunks, isFinal } : NOTHING);
    }
    this.#end(job, fd);
  }

  /** Makes a draft whose chunks are all there the object, if it is what its file's digest says. */
  #publish(filling: Filling): void {
    const { job, layer, fd, chunks, size, digest, running } = filling;
    if (running && digest) {
      if (running.covers(chunks)) running.check(digest, 'the content');
      else checkDigest(fileContent(fd, size), digest, 'the content');
    }
    if (chunks > 1) this.#store.unshare(fd, size);
    this.#store.publish(job, fd, filling.objectName, this.#board.describe(job).generation);
    this.#board.counters.add('objects', 1);
    this.#board.counters.add('objectBytes', size);
    if (!layer.isRemote || !this.#board.demanded(job)) return;
    const ahead = missingLibraries(fd, this.#layers.remoteFrom(layer));
    if (ahead.length > 0) this.#report({ ahead });
  }

  /** Answers all who wait for a job; what it has filled, unless it is published, goes. */
  #end(job: number, fd: number): void {
    const { error } = this.#board.describe(job);
    if (fd >= 0) this.#store.close(fd);
    if (error !== 0) this.#store.discard(job);
    this.#board.finish(this.#worker, job, ({ ring, position }) => addon.complete(ring, position, error));
  }

  /**
   * Does one step of a job. If it throws, the job fails, and the fault is told; bytes of a remote blob that are wrong are
   * fetched again once, since the disk may have damaged them. Where another job has had that done meanwhile, this one may
   * have read what was there before: it is asked for again.
   */
  #attempt({ job, layer, inode }: Filling, step: () => void, read: Read = NOTHING): void {
    try {
      step();
    } catch (error) {
      this.#failed = true;
      const fault = describeFault(error);
      const { errno, code, message } = fault;
      const path = layer.index.path(inode);
      if (isOfBytes(fault)) {
        this.#members.forget();
        if (layer.doubt(read.first, read.count) || !read.isFinal) {
          this.#board.fail(job, EAGAIN);
          this.#report({ doubt: { layer: layer.name, path, message } });
          return;
        }
      }
      if (errno === EAGAIN) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_PAUSE_MS);
      this.#board.fail(job, errno);
      this.#board.counters.add(code === 'CRFS_DIGEST' ? 'digestErrors' : 'errors', 1);
      this.#report({ fault: { layer: layer.name, path, code, message } });
    }
  }
}
