// SPDX-License-Identifier: GPL-3.0-or-later

import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { Logger } from 'pino';
import { Piscina } from 'piscina';
import { addon } from '../../native/addon.js';
import { Board } from '../../workers/board/board.js';
import type { LayerFacts, Order, Report } from '../../workers/messages.js';
import type { WorkerTask } from '../../workers/serve/serve-worker.js';
import type { CacheLayout } from '../disk/cache-layout.js';
import { CrfsError } from '../errors/error.js';
import type { Supply } from '../fetch/supply.js';
import type { Settings } from '../settings/options.js';
import { ThreadRoom } from './descriptors.js';
import { trimAfterThreads } from './ended-threads.js';
import { Starting } from './starting.js';

const RESTART_PAUSE_MS = 100;
const LOOK_AGAIN_MS = 5000;

/**
 * The workers that serve the rings: one long Piscina task each, started again if it dies. There is one to begin with, one
 * more whenever all of them are busy, and those that have nothing to do for a while end: each takes some 10 MB.
 */
export class Crew {
  readonly board: Board;
  /** Workers that died and were started again. */
  restarts = 0;
  readonly #settings: Settings;
  readonly #layout: CacheLayout;
  readonly #log: Logger;
  #pool: Piscina | undefined;
  readonly #ports = new Map<number, MessagePort>();
  readonly #starting = new Starting();
  /** By the worker's number. */
  readonly #runs = new Map<number, Promise<void>>();
  readonly #layers = new Map<number, LayerFacts>();
  readonly #supply: Supply;
  readonly #room: ThreadRoom;
  #lookingAgain: NodeJS.Timeout | undefined;
  readonly #dropping = new Map<number, { missing: Set<number>; done: () => void }>();

  constructor(settings: Settings, layout: CacheLayout, log: Logger, supply: Supply) {
    this.#supply = supply;
    this.#settings = settings;
    this.#layout = layout;
    this.#log = log;
    this.#room = new ThreadRoom(log);
    this.board = new Board(settings.workers);
    process.once('exit', () => this.#wakeToStop()); // a thread that sleeps in the addon would keep the process
  }

  /** Starts the first worker, unless that was done. It takes as long to start as a small TOC to arrive. */
  start(): void {
    if (this.#pool !== undefined || this.board.stopping) return;
    const pool = new Piscina({
      filename: new URL('../../workers/serve/serve-worker.js', import.meta.url).href,
      minThreads: 1,
      maxThreads: this.#settings.workers,
      resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 128 },
    });
    pool.on('error', (error: Error) => this.#onStartFailure(error));
    trimAfterThreads(pool);
    this.#pool = pool;
    this.#startOne();
  }

  /** Makes a layer known to every worker, before any request for it can come. */
  add(layer: LayerFacts): void {
    this.#layers.set(layer.number, layer);
    this.#broadcast({ add: layer });
  }

  /** Takes a layer from every worker. Resolves when none uses its descriptors any more. */
  async drop(number: number): Promise<void> {
    this.#layers.delete(number);
    if (this.#ports.size === 0) return;
    await new Promise<void>((done) => {
      this.#dropping.set(number, { missing: new Set(this.#ports.keys()), done });
      this.#broadcast({ drop: number });
    });
    this.#dropping.delete(number);
  }

  /** Ends the workers, after the requests that they have in hand. */
  async stop(): Promise<void> {
    this.#starting.waitNoMore();
    this.#wakeToStop();
    await Promise.all(this.#runs.values());
    await this.#pool?.destroy();
  }

  #wakeToStop(): void {
    this.board.stop();
    addon.doorbellRing(this.#settings.workers);
  }

  #broadcast(order: Order): void {
    for (const port of this.#ports.values()) port.postMessage(order);
    addon.doorbellRing(this.#settings.workers);
  }

  /** Starts one more worker, if there may be one. */
  #startOne(): void {
    const pool = this.#pool;
    let worker = 0;
    while (this.#runs.has(worker)) worker++;
    if (pool === undefined || worker >= this.#settings.workers || this.board.stopping) return;
    if (worker > 0 && !this.#room.isThere) {
      clearTimeout(this.#lookingAgain);
      this.#lookingAgain = setTimeout(() => this.#startOne(), LOOK_AGAIN_MS).unref();
      return;
    }
    const run = this.#keepRunning(pool, worker).finally(() => {
      this.#runs.delete(worker);
      this.board.running = this.#runs.size;
    });
    this.#runs.set(worker, run);
    this.board.running = this.#runs.size;
  }

  async #keepRunning(pool: Piscina, worker: number): Promise<void> {
    while (!this.board.stopping) {
      try {
        await this.#run(pool, worker);
        this.#forget(worker);
        return;
      } catch (error) {
        if ((error as Error).name === 'AbortError') return this.#forget(worker);
        this.#log.error({ worker, error: String(error) }, 'a worker died and is started again');
        this.restarts++;
        this.#reclaim(worker);
        await sleep(RESTART_PAUSE_MS);
      }
    }
  }

  /** Resolves when the worker has ended, as it was told. Rejects when it dies. */
  async #run(pool: Piscina, worker: number): Promise<void> {
    const { port1, port2 } = new MessageChannel();
    this.#ports.set(worker, port1);
    port1.on('message', (report: Report) => this.#onReport(worker, report));
    for (const layer of this.#layers.values()) port1.postMessage({ add: layer } satisfies Order);
    const { objects, drafts, tmp } = this.#layout;
    const task: WorkerTask = {
      worker,
      workers: this.#settings.workers,
      board: this.board.buffer,
      port: port2,
      engine: this.#settings.engine,
      directories: { objects, drafts, tmp },
      readahead: this.#settings.readahead,
    };
    const late = (): void => this.#doWithout(worker, new CrfsError('CRFS_INTERNAL', `worker ${worker} does not start`));
    const signal = this.#starting.begin(worker, late);
    await pool.run(task, { transferList: [port2], signal });
  }

  /** A thread has ended before it took its task, for lack of descriptors or memory. */
  #onStartFailure(error: Error): void {
    const worker = this.#starting.last;
    if (worker === undefined) throw error;
    this.#doWithout(worker, error);
  }

  /** A worker does not start: where others serve, they do without it; else another daemon has to try. */
  #doWithout(worker: number, error: Error): void {
    if (this.#starting.count === this.#runs.size) throw error;
    this.#log.warn({ worker, error: String(error) }, 'a worker does not start, and is done without');
    this.#starting.giveUp(worker);
  }

  #onReport(worker: number, report: Report): void {
    if ('serves' in report) {
      this.#starting.end(worker);
      return;
    }
    if ('short' in report) {
      this.#startOne();
      return;
    }
    if ('dropped' in report) {
      this.#dropped(report.dropped, worker);
      return;
    }
    if ('want' in report) {
      void this.#supply.want(report.want);
      return;
    }
    if ('read' in report) {
      this.#supply.follow(report.read);
      return;
    }
    if ('ahead' in report) {
      this.#supply.ahead(report.ahead);
      return;
    }
    if ('died' in report) {
      this.#log.error({ worker, error: report.died }, 'a worker fails');
      return;
    }
    if ('doubt' in report) {
      this.#log.warn(report.doubt, `fetching ${report.doubt.path} again: ${report.doubt.message}`);
      return;
    }
    this.#log.warn(report.fault, `cannot serve ${report.fault.path}: ${report.fault.message}`);
  }

  #dropped(number: number, worker: number): void {
    const dropping = this.#dropping.get(number);
    dropping?.missing.delete(worker);
    if (dropping?.missing.size === 0) dropping.done();
  }

  /** Answers what a dead worker left: whoever waited asks again. Throws where it left the board in doubt. */
  #reclaim(worker: number): void {
    this.#forget(worker);
    for (const { ring, position } of this.board.reclaim(worker, constants.errno.EAGAIN)) {
      addon.complete(ring, position, constants.errno.EAGAIN);
    }
  }

  /** Hears the last that a worker had to say. Nothing more is told to it. */
  #forget(worker: number): void {
    const port = this.#ports.get(worker);
    this.#ports.delete(worker);
    for (let last = port && receiveMessageOnPort(port); last; last = port && receiveMessageOnPort(port)) {
      this.#onReport(worker, last.message as Report);
    }
    port?.close();
    for (const number of this.#dropping.keys()) this.#dropped(number, worker);
  }
}
