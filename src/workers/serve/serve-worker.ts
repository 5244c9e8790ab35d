// SPDX-License-Identifier: GPL-3.0-or-later

import { setImmediate as turn } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import { addon } from '../../native/addon.js';
import { Board } from '../board/board.js';
import { decoderOf } from '../decode/decoders.js';
import { MemberReader } from '../decode/member-reader.js';
import type { EngineName } from '../engine-names.js';
import type { Report } from '../messages.js';
import { Readahead } from '../prefetch/readahead.js';
import { Filler } from './filler.js';
import { ServedLayers } from './served-layers.js';
import { Store, type StoreDirectories } from './store.js';

/** What a worker of the daemon is started with. */
export interface WorkerTask {
  /** Its number, from 0, and how many there are. */
  readonly worker: number;
  readonly workers: number;
  readonly board: SharedArrayBuffer;
  readonly port: MessagePort;
  readonly engine: EngineName;
  readonly directories: StoreDirectories;
  /** Bytes of a blob to fill around what was asked for. */
  readonly readahead: number;
}

// the words of a taken request
const RING = 0;
const POSITION = 1;
const LAYER = 2;
const INODE = 3;
const CHUNK_FIRST = 4;
const CHUNK_COUNT = 5;
const FLAGS = 6;

/** So many looks for work in vain, a second apart, and a worker ends: the next one costs less than its memory. */
const IDLE_LOOKS = 10;

/** Serves requests until the board says stop, or, but for the first worker, until there has been nothing to do for a while. Blocks its thread while there is nothing to do. */
export default async function serve(task: WorkerTask): Promise<void> {
  const board = new Board(task.workers, task.board);
  const layers = new ServedLayers(task.port);
  const store = new Store(task.directories, task.worker);
  const members = new MemberReader(
    (codec) => decoderOf(codec, task.engine),
    (bytes) => board.counters.add('readBytes', bytes),
  );
  const report: (said: Report) => void = task.port.postMessage.bind(task.port);
  const { worker, workers } = task;
  const filler = new Filler({ worker, workers, board, layers, store, members, report });
  const readahead = new Readahead(task.readahead);
  const request = board.request(task.worker);
  const word = (n: number): number => request[n] ?? 0;

  let toldOf = 0; // how many there were when this worker last said that they are too few
  let idleLooks = 0;

  /** To be called with work in hand. */
  const busy = (): void => {
    idleLooks = 0;
    if (board.running === toldOf || !board.mayGrow || addon.doorbellSleepers() > 0) return;
    toldOf = board.running;
    report({ short: true });
  };

  const help = (): boolean => {
    const helped = filler.help();
    if (helped) busy();
    return helped;
  };

  const serveMount = (): void => {
    busy();
    const layer = layers.get(word(LAYER));
    const run = { layer: word(LAYER), inode: word(INODE), first: word(CHUNK_FIRST), count: word(CHUNK_COUNT) };
    const isQuick = (word(FLAGS) & addon.layout.constants.requestQuick) !== 0;
    filler.serve({ ring: word(RING), position: word(POSITION), run, isQuick }, layer);
    if (layer?.hasContent(run.inode)) readahead.follow(layer, layer.index.chunkFirst(run.inode) + run.first);
  };

  const serveNextMount = (): boolean => {
    const taken = addon.take(request, true);
    if (taken) serveMount();
    return taken;
  };

  /** Fills a range of chunks; mounts go first, between one and the next. */
  const serveRange = (): void => {
    const number = word(LAYER);
    const first = word(CHUNK_FIRST);
    const end = first + word(CHUNK_COUNT);
    addon.complete(word(RING), word(POSITION), 0);
    board.answered(task.worker);
    for (let chunk = first; chunk < end && !board.stopping; chunk++) {
      layers.update();
      const layer = layers.get(number);
      if (layer === undefined) return;
      filler.fillAhead(layer, chunk);
      while (serveNextMount() || help());
    }
  };

  /** Fills what the daemon asks for itself, if there is any and another worker stays with the mounts. */
  const serveAhead = (): boolean => {
    if (!board.goAhead(task.worker)) return false;
    const taken = addon.take(request, false);
    if (taken && word(RING) <= addon.ownRings.background) {
      busy();
      serveRange();
    } else if (taken) serveMount();
    board.backFromAhead(task.worker);
    return taken;
  };

  report({ serves: true });
  try {
    while (!board.stopping) {
      const count = addon.doorbellCount();
      layers.update();
      if (filler.hasFailed()) await turn(); // what an error leaves behind in Node goes with a turn of the event loop
      if (serveNextMount() || help()) continue; // a file for each worker, before several at one
      if (serveAhead()) continue;
      idleLooks++;
      if (idleLooks === 2) members.rest();
      if (task.worker > 0 && idleLooks > IDLE_LOOKS) {
        addon.doorbellRing(1); // in case it was this worker that the last ring has woken
        break;
      }
      addon.doorbellWait(count);
    }
  } catch (error) {
    report({ died: (error as Error).stack ?? String(error) });
    process.exit(1); // of this thread, and with it goes every descriptor that it opened
  }
  task.port.close();
}
