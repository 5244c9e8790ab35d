// SPDX-License-Identifier: GPL-3.0-or-later

import { constants } from 'node:os';
import { CrfsError } from '../../main/errors/error.js';
import { isNoSpace } from '../../main/errors/no-space.js';
import { checkDigest } from '../../main/index/check-digest.js';
import { addon } from '../../native/addon.js';
import type { Board } from '../board/board.js';
import { MemberReader, SLACK } from '../decode/member-reader.js';
import { findLibrary, needsOf } from './elf.js';
import type { Layer, Layers, Report } from './layers.js';
import { fileContent, RunningDigest } from './running-digest.js';
import type { Store } from './store.js';

/** Chunks from this size on are inflated straight into the mapped object; below, writing them is cheaper. */
const MAP_FROM = 256 << 10;
/** A multiple of the size of a page, on every machine. */
const MAP_ALIGNMENT = 64 << 10;

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

const { EAGAIN, EIO, EINVAL, ENOSPC } = constants.errno;

/** Fills the objects of files, alone or together with the other workers. */
export class Filler {
  readonly #worker: number;
  readonly #workers: number;
  readonly #board: Board;
  readonly #layers: Layers;
  readonly #store: Store;
  readonly #members: MemberReader;
  readonly #report: (report: Report) => void;
  #failed = false;

  constructor(
    worker: number,
    workers: number,
    board: Board,
    layers: Layers,
    store: Store,
    members: MemberReader,
    report: (report: Report) => void,
  ) {
    this.#worker = worker;
    this.#workers = workers;
    this.#board = board;
    this.#layers = layers;
    this.#store = store;
    this.#members = members;
    this.#report = report;
  }

  /** Whether a step of a job has failed since this was last asked. */
  hasFailed(): boolean {
    const failed = this.#failed;
    this.#failed = false;
    return failed;
  }

  /** Sees to a request that this worker took: fills its file, joins those who do, or has its chunks fetched first. */
  serve(ring: number, position: number, layer: Layer | undefined, inode: number): void {
    this.#board.counters.add('requests', 1);
    if (layer === undefined || !hasContent(layer, inode)) addon.complete(ring, position, EINVAL);
    else if (!layer.has(inode) && !this.#store.has(layer.index.objectName(inode), layer.index.size(inode))) {
      this.#report({ want: { layer: layer.number, inode, ring, position } });
    } else if (this.fill(layer, inode) === 'full') addon.complete(ring, position, EAGAIN);
    this.#board.answered(this.#worker);
  }

  /**
   * Fills the object of a file unless it is there. Requests that wait for it are answered.
   * Returns 'joined' if others are at it already, and 'full' if the board has no room to wait.
   */
  fill(layer: Layer, inode: number): 'filled' | 'joined' | 'full' {
    const { index } = layer;
    const chunks = index.chunkCount(inode);
    const { job, created } = this.#board.join(this.#worker, layer.number, inode, chunks);
    if (job < 0) return 'full';
    if (!created) return 'joined';
    if (layer.isFinal(index.chunkFirst(inode), chunks)) this.#board.markFinal(job);
    let fd = -1;
    this.#attempt(job, layer, inode, () => {
      if (this.#store.has(index.objectName(inode), index.size(inode))) this.#board.cancel(job);
      else fd = this.#store.create(job, chunks > 1);
      if (fd < 0 || chunks === 1) return;
      this.#store.resize(fd, index.size(inode) + SLACK);
      this.#board.share(job);
      addon.doorbellRing(Math.min(chunks, this.#workers) - 1);
    });
    this.#work(job, layer, inode, fd);
    return 'filled';
  }

  /** Helps with a file that another worker has begun. Returns false if there is none. */
  help(): boolean {
    const job = this.#board.help(this.#worker);
    if (job < 0) return false;
    const { layer: number, inode } = this.#board.describe(job);
    const layer = this.#layers.get(number);
    let fd = -1;
    if (layer === undefined)
      this.#board.fail(job, EAGAIN); // its mount is gone
    else
      this.#attempt(job, layer, inode, () => {
        fd = this.#store.open(job);
      });
    if (layer) this.#work(job, layer, inode, fd);
    else if (this.#board.leave(this.#worker, job)) this.#end(job, fd);
    return true;
  }

  /** Does what there is to do of a job. `fd` is this worker's own on its draft: a worker that dies takes only its own. */
  #work(job: number, layer: Layer, inode: number, fd: number): void {
    const { index } = layer;
    const first = index.chunkFirst(inode);
    const whole = index.chunkCount(inode) > 1 && index.hasDigest(inode);
    const running = whole ? new RunningDigest() : undefined;
    for (let n = this.#board.claim(job); n >= 0; n = this.#board.claim(job)) {
      const chunk = first + n;
      this.#attempt(
        job,
        layer,
        inode,
        () => {
          if (this.#mappable(layer, chunk)) this.#mapped(layer, chunk, fd, running);
          else this.#written(layer, chunk, fd, running);
          this.#board.counters.add('inflatedBytes', index.chunkSize(chunk));
        },
        { first: chunk, count: 1, isFinal: layer.isFinal(chunk, 1) },
      );
    }
    if (this.#board.leave(this.#worker, job)) this.#finish(job, layer, inode, fd, running);
    else if (fd >= 0) this.#store.close(fd);
  }

  #mappable(layer: Layer, chunk: number): boolean {
    return layer.index.chunkSize(chunk) >= MAP_FROM && this.#members.maps(layer, chunk);
  }

  /**
   * Inflates a chunk into the mapped object: into that part alone, since V8 collects garbage for each large buffer that it
   * is shown. Only the last one finds room behind it: the slack.
   */
  #mapped(layer: Layer, chunk: number, fd: number, running: RunningDigest | undefined): void {
    const { index } = layer;
    const inode = index.chunkInode(chunk);
    const offset = index.chunkFileOffset(chunk);
    const size = index.chunkSize(chunk);
    const only = index.chunkCount(inode) === 1;
    if (only) this.#store.resize(fd, size + SLACK);
    const room = offset + size === index.size(inode) ? size + SLACK : size;
    const inPage = offset % MAP_ALIGNMENT;
    const mapping = addon.map(fd, true, offset - inPage, inPage + room);
    try {
      this.#members.contentInto(layer, chunk, new Uint8Array(mapping, inPage, room));
      this.#check(layer, chunk, new Uint8Array(mapping, inPage, size), running);
    } finally {
      addon.unmap(mapping);
      if (only) this.#store.resize(fd, size);
    }
  }

  #written(layer: Layer, chunk: number, fd: number, running: RunningDigest | undefined): void {
    const offset = layer.index.chunkFileOffset(chunk);
    if (this.#members.fits(layer, chunk)) {
      const content = this.#members.content(layer, chunk);
      this.#check(layer, chunk, content, running);
      this.#store.write(fd, content, offset);
      return;
    }
    const store = this.#store;
    const pieces = this.#members.pieces(layer, chunk);
    const write = function* (): Generator<Uint8Array> {
      let at = offset;
      for (const piece of pieces) {
        store.write(fd, piece, at);
        at += piece.length;
        yield piece;
      }
    };
    this.#check(layer, chunk, write(), running);
  }

  /**
   * Holds a chunk against its digest. Where the file has one of its own, that is checked at the end, and this chunk's not:
   * one hash for each byte. Consumes `content` in any case.
   */
  #check(
    layer: Layer,
    chunk: number,
    content: Uint8Array | Iterable<Uint8Array>,
    running: RunningDigest | undefined,
  ): void {
    const { index } = layer;
    const inode = index.chunkInode(chunk);
    const only = index.chunkCount(inode) === 1;
    const digest = index.chunkDigest(chunk) ?? (only && index.hasDigest(inode) ? index.keyBytes(inode) : undefined);
    if (running) running.add(chunk - index.chunkFirst(inode), content);
    else if (digest)
      checkDigest(content, digest, only ? 'the content' : `the chunk at ${index.chunkFileOffset(chunk)}`);
    else if (!(content instanceof Uint8Array)) for (const _ of content);
  }

  #finish(job: number, layer: Layer, inode: number, fd: number, running: RunningDigest | undefined): void {
    const { index } = layer;
    const size = index.size(inode);
    const chunks = index.chunkCount(inode);
    const { error, isFinal } = this.#board.describe(job);
    if (error === 0 && fd >= 0) {
      this.#attempt(
        job,
        layer,
        inode,
        () => {
          if (running?.covers(chunks)) running.check(index.keyBytes(inode), 'the content');
          else if (running) checkDigest(fileContent(fd, size), index.keyBytes(inode), 'the content');
          if (chunks > 1) this.#store.unshare(fd, size);
          this.#store.publish(job, fd, index.objectName(inode), this.#board.describe(job).generation);
          this.#board.counters.add('objects', 1);
          this.#board.counters.add('objectBytes', size);
          if (layer.blocks && this.#board.demanded(job)) this.#tellNeeds(layer, fd);
        },
        running ? { first: index.chunkFirst(inode), count: chunks, isFinal } : NOTHING,
      );
    }
    this.#end(job, fd);
  }

  /** Has fetched what a program needs that is about to start. */
  #tellNeeds(layer: Layer, fd: number): void {
    const needs = needsOf(fd);
    const ahead = needs?.names.flatMap((name) => {
      for (const other of this.#layers.remoteFrom(layer)) {
        const inode = findLibrary(other.index, needs, name);
        if (inode >= 0) return other.has(inode) ? [] : [{ layer: other.number, inode }];
      }
      return [];
    });
    if (ahead && ahead.length > 0) this.#report({ ahead });
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
  #attempt(job: number, layer: Layer, inode: number, step: () => void, read: Read = NOTHING): void {
    try {
      step();
    } catch (error) {
      this.#failed = true;
      const { errno, code, message } = describeFault(error);
      if (code === 'CRFS_DIGEST' || code === 'CRFS_BAD_LAYER') {
        this.#members.forget();
        if (layer.doubt(read.first, read.count) || !read.isFinal) {
          this.#board.fail(job, EAGAIN);
          this.#report({ doubt: { layer: layer.name, path: layer.index.path(inode), message } });
          return;
        }
      }
      if (errno === EAGAIN) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_PAUSE_MS);
      this.#board.fail(job, errno);
      this.#board.counters.add(code === 'CRFS_DIGEST' ? 'digestErrors' : 'errors', 1);
      this.#report({ fault: { layer: layer.name, path: layer.index.path(inode), code, message } });
    }
  }
}

/** Whether a number that came through a ring names a file with content. */
export function hasContent({ index }: Layer, inode: number): boolean {
  return inode < index.inodes && index.isFile(inode) && index.chunkCount(inode) > 0;
}

function describeFault(error: unknown): { errno: number; code: string; message: string } {
  if (error instanceof CrfsError) {
    const { code, message } = error;
    return { errno: isNoSpace(error) ? ENOSPC : EIO, code, message };
  }
  const { code = 'CRFS_INTERNAL', message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return { errno: EAGAIN, code, message }; // the cache was removed: the daemon is about to notice
  return { errno: isNoSpace(error) ? ENOSPC : EIO, code, message };
}
