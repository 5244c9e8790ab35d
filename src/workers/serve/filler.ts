// SPDX-License-Identifier: GPL-3.0-or-later

import { constants } from 'node:os';
import { checkDigest } from '../../main/index/check-digest.js';
import { addon } from '../../native/addon.js';
import type { Board } from '../board/board.js';
import { type MemberReader, SLACK } from '../decode/member-reader.js';
import type { Report, Run } from '../messages.js';
import { missingLibraries } from '../prefetch/libraries.js';
import { ChunkFiller } from './chunk-filler.js';
import { describeFault, isOfBytes } from './fault.js';
import { fileContent } from './file-content.js';
import { Filling } from './filling.js';
import { pauseBeforeAgain } from './pause.js';
import { type Request, wantedOf } from './request.js';
import type { ServedLayer } from './served-layer.js';
import type { ServedLayers } from './served-layers.js';
import type { Store } from './store.js';

/** What a step of a job reads: chunks of the layer. */
interface Read {
  readonly first: number;
  readonly count: number;
  /** Whether their bytes were final before any of them was read. */
  readonly isFinal: boolean;
}

const NOTHING: Read = { first: 0, count: 0, isFinal: true };

const { EAGAIN, EINPROGRESS, EINVAL } = constants.errno;

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

  /** Sees to a request that this worker took: fills its chunks, joins those who do, or has them fetched first. */
  serve({ ring, position, run, isQuick }: Request, layer: ServedLayer | undefined): void {
    this.#board.counters.add('requests', 1);
    const wanted = layer && wantedOf(layer, run);
    if (layer === undefined || wanted === undefined) addon.complete(ring, position, EINVAL);
    else if (this.#isHere(layer, wanted)) {
      if (layer.isRemote && layer.isChunked(run.inode)) this.#report({ read: { ...wanted, ring } });
      if (this.fill(layer, wanted) === 'full') addon.complete(ring, position, EAGAIN);
    } else {
      if (isQuick) addon.complete(ring, position, EINPROGRESS);
      this.#report({ want: { ...wanted, ring, ...(isQuick ? {} : { position }) } });
    }
    this.#board.answered(this.#worker);
  }

  /**
   * Fills chunks of a file, unless they are there. The request that this worker took, if any, is answered then.
   * Returns 'joined' if others are at it already, and 'full' if the board has no room to wait.
   */
  fill(layer: ServedLayer, run: Run): 'filled' | 'joined' | 'full' {
    const { job, created } = this.#board.join(this.#worker, run);
    if (job < 0) return 'full';
    if (!created) return 'joined';
    const filling = new Filling(job, layer, run);
    const { inode, first, count, objectName, size } = filling;
    if (layer.isFinal(first, count)) this.#board.markFinal(job);
    this.#attempt(filling, () => {
      if (this.#store.has(objectName, size)) this.#board.cancel(job);
      else if (layer.isChunked(inode)) this.#openDraft(filling);
      else filling.fd = this.#store.create(job, filling);
      if (filling.fd < 0 || count === 1) return;
      if (!filling.draft) this.#store.resize(filling.fd, size + SLACK);
      this.#board.share(job);
      addon.doorbellRing(Math.min(count, this.#workers) - 1);
    });
    this.#work(filling);
    return 'filled';
  }

  /** Fills a chunk of the layer that nobody waits for, as far as its bytes are here, and it is of use by itself. */
  fillAhead(layer: ServedLayer, chunk: number): void {
    const inode = layer.index.chunkInode(chunk);
    if (!layer.hasChunks(chunk, 1) || layer.index.isCheckedWhole(inode)) return;
    this.fill(layer, { layer: layer.number, inode, first: chunk - layer.index.chunkFirst(inode), count: 1 });
  }

  /** Helps with a file that another worker has begun. Returns false if there is none. */
  help(): boolean {
    const job = this.#board.help(this.#worker);
    if (job < 0) return false;
    const facts = this.#board.describe(job);
    const layer = this.#layers.get(facts.layer);
    if (layer === undefined) {
      this.#board.fail(job, EAGAIN); // its mount is gone
      if (this.#board.leave(this.#worker, job)) this.#end(job, -1);
      return true;
    }
    const filling = new Filling(job, layer, facts);
    this.#attempt(filling, () => {
      if (layer.isChunked(facts.inode)) this.#openDraft(filling);
      else filling.fd = this.#store.open(job, filling);
    });
    this.#work(filling);
    return true;
  }

  #openDraft(filling: Filling): void {
    filling.draft = this.#store.openDraft(filling);
    filling.fd = filling.draft.fd;
  }

  /** Whether all that a request needs is in the cache: the object, or what of the blob it is made of. */
  #isHere(layer: ServedLayer, { inode, first, count }: Run): boolean {
    const { index } = layer;
    return (
      layer.hasChunks(index.chunkFirst(inode) + first, count) ||
      this.#store.has(index.objectName(inode), index.size(inode))
    );
  }

  /** Fills chunks until none is unclaimed, or somebody waits for something else. Whoever leaves last ends the job. */
  #work(filling: Filling): void {
    const { job, layer } = filling;
    const first = layer.index.chunkFirst(filling.inode);
    for (let n = this.#board.claim(job); n >= 0; n = this.#board.claim(job)) {
      this.#attempt(filling, () => this.#fillChunk(filling, n), {
        first: first + n,
        count: 1,
        isFinal: layer.isFinal(first + n, 1),
      });
      if (filling.count === 1) continue;
      for (const { ring, position } of this.#board.waiting(job)) addon.progress(ring, position);
      if (addon.hasDemand() && this.#board.mayLeave()) break;
    }
    if (this.#board.leave(this.#worker, job)) this.#finish(filling);
    else if (filling.fd >= 0) this.#store.close(filling.fd);
  }

  /** Fills the nth chunk of a file. */
  #fillChunk(filling: Filling, n: number): void {
    const { layer, inode, draft } = filling;
    const chunk = layer.index.chunkFirst(inode) + n;
    const fill = (): void => {
      this.#chunks.fill(filling, chunk);
      this.#board.counters.add('inflatedBytes', layer.index.chunkSize(chunk));
    };
    if (draft) draft.fillOnce(n, fill);
    else fill();
  }

  #finish(filling: Filling): void {
    const { job, layer, inode, first, count, fd } = filling;
    const { error, isFinal } = this.#board.describe(job);
    const isChecked = layer.index.isCheckedWhole(inode); // by its digest, which all chunks have a part in
    if (error === 0 && fd >= 0) {
      this.#attempt(filling, () => this.#publish(filling), isChecked ? { first, count, isFinal } : NOTHING);
    }
    this.#end(job, fd);
  }

  /** Makes what is whole the object, if it is what its file's digest says. */
  #publish(filling: Filling): void {
    const { job, layer, inode, fd, draft, size } = filling;
    const { generation } = this.#board.describe(job);
    if (draft) {
      draft.publishOnce(() => {
        this.#store.publishDraft(draft, filling, generation);
        this.#count(size);
      });
    } else {
      const digest = layer.index.isCheckedWhole(inode) && layer.index.fileDigest(inode);
      if (digest) checkDigest(fileContent(fd, size), digest, 'the content');
      this.#store.publish(job, fd, filling, generation);
      this.#count(size);
    }
    if (!layer.isRemote || !this.#board.demanded(job)) return;
    const ahead = missingLibraries(fd, this.#layers.remoteFrom(layer));
    if (ahead.length > 0) this.#report({ ahead });
  }

  #count(size: number): void {
    this.#board.counters.add('objects', 1);
    this.#board.counters.add('objectBytes', size);
  }

  /** Answers all who wait for a job; what it has filled by itself, unless it is published, goes. */
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
      this.#board.counters.add(code === 'CRFS_DIGEST' ? 'digestErrors' : 'errors', 1);
      this.#report({ fault: { layer: layer.name, path, code, message } });
      if (errno === EAGAIN) pauseBeforeAgain(this.#store, this.#board);
      this.#board.fail(job, errno);
    }
  }
}
