// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, constants, openSync, watch } from 'node:fs';
import type { Logger } from 'pino';
import { addon, type Connection } from '../../native/addon.js';
import { Cache } from '../cache/cache.js';
import { References } from '../cache/references.js';
import { reasonOf } from '../errors/reason.js';
import { cacheDirectory } from '../settings/directories.js';
import type { Settings } from '../settings/options.js';
import { version } from '../version.js';
import { listenApi } from './api.js';
import { ownCgroup } from './cgroup.js';
import { Clients } from './clients.js';
import { describeLayer, describeMount } from './describe.js';
import { IdleWatch } from './idle.js';
import { Indexer } from './indexer.js';
import { Listener } from './listener.js';
import { logFile } from './log.js';
import { renderMetrics } from './metrics.js';
import { serveMetrics } from './metrics-server.js';
import { OpenLayers } from './open-layers.js';
import { Openings } from './openings.js';
import { type PrefetchMeans, prefetch } from './prefetch.js';
import { Resolver } from './resolver.js';
import { Session } from './session.js';
import { CONTROL_SOCKET, SocketDirectory } from './socket-directory.js';
import { Starts } from './starts.js';
import type { Status } from './status.js';
import { describeStores, isOfStore } from './stores.js';
import { addOpens, NO_OPENS } from './totals.js';
import { Tracer } from './tracer.js';
import { Undo } from './undo.js';
import { Upkeep } from './upkeep.js';

/** How often the daemon checks that its cache and its sockets are still there. */
const CHECK_EVERY_MS = 5000;

/** The daemon of a user: serves all mounts of that user until it is stopped, or has had none for a while. */
export class Daemon {
  /** Resolves when the daemon has ended. */
  readonly ended: Promise<void>;
  readonly #settings: Settings;
  readonly #log: Logger;
  readonly #cache: Cache;
  readonly #indexer: Indexer;
  readonly #layers: OpenLayers;
  readonly #references: References;
  readonly #means: PrefetchMeans;
  readonly #starts: Starts;
  readonly #tracer: Tracer;
  readonly #objectsFd: number;
  readonly #draftsFd: number;
  readonly #started = new Date();
  readonly #sessions = new Set<Session>();
  readonly #upkeep: Upkeep;
  readonly #sockets = new SocketDirectory();
  readonly #undo: Undo;
  readonly #idle: IdleWatch;
  /** Of mounts that have gone. */
  #opensBefore = NO_OPENS;
  #stopping = false;
  /** Resolves when the cache is found to be gone. */
  readonly #cacheGone: Promise<void>;
  #tellCacheGone: () => void = () => undefined;
  #end: () => void = () => undefined;

  private constructor(settings: Settings, log: Logger, undo: Undo) {
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#cacheGone = new Promise((resolve) => {
      this.#tellCacheGone = resolve;
    });
    this.#undo = undo;
    this.#settings = settings;
    this.#log = log;
    undo.add(() => this.#sockets.close());
    this.#cache = new Cache(cacheDirectory());
    undo.add(() => this.#cache.close());
    const { layout } = this.#cache;
    this.#objectsFd = openSync(layout.objects, constants.O_RDONLY | constants.O_DIRECTORY);
    undo.add(() => closeSync(this.#objectsFd));
    this.#draftsFd = openSync(layout.drafts, constants.O_RDONLY | constants.O_DIRECTORY);
    undo.add(() => closeSync(this.#draftsFd));
    this.#indexer = new Indexer(layout, settings);
    this.#layers = new OpenLayers(settings, layout, this.#indexer, log);
    this.#upkeep = new Upkeep(this.#cache, this.#layers, settings['max-size'], log);
    undo.add(() => this.#upkeep.stop());
    this.#references = new References(layout);
    const resolver = new Resolver(layout, log, this.#references);
    this.#means = { resolver, clients: new Clients(layout.tmp, log), layers: this.#layers };
    const openings = new Openings();
    this.#starts = new Starts({ profiles: settings.profiles, layout, layers: this.#layers, openings, log });
    this.#tracer = new Tracer(this.#layers, openings);
    const idle = settings['idle-timeout'];
    this.#idle = new IdleWatch(idle, () => void this.stop(`no mount for ${idle} s`));
    undo.add(() => this.#idle.stop());
  }

  /**
   * Starts the daemon: when this resolves, it answers mounts. The caller holds its lock. Rejects with what keeps it from
   * that, and then leaves nothing behind.
   */
  static async start(settings: Settings, log: Logger): Promise<Daemon> {
    const undo = new Undo();
    try {
      const daemon = new Daemon(settings, log, undo);
      await daemon.#begin();
      return daemon;
    } catch (error) {
      await undo.all(() => undefined);
      throw error;
    }
  }

  /** What is begun last is ended first: the command line hears that a daemon has gone when its mounts have let go of it. */
  async #begin(): Promise<void> {
    const undo = this.#undo;
    const api = await listenApi(this.#sockets, {
      status: () => this.status(),
      stop: () => void this.stop('asked to'),
      umount: (pid) => this.#umount(pid),
      trim: (limit) => this.#upkeep.trim(limit),
      remove: (...how) => this.#upkeep.remove(this.#references, ...how),
      prefetch: async (...how) => await prefetch(this.#means, ...how).finally(this.#idle.use()),
      trace: (mountpoint, ...how) => {
        const session = [...this.#sessions].findLast((one) => one.mountpoint === mountpoint);
        return session && this.#tracer.follow(session, ...how);
      },
    });
    undo.add(() => api.close());
    undo.add(() => this.#indexer.close());
    undo.add(() => {
      for (const session of this.#sessions) session.close();
    });
    undo.add(() => this.#layers.crew.stop());
    this.#sockets.remove(CONTROL_SOCKET);
    const listener = new Listener(
      this.#sockets.path(CONTROL_SOCKET),
      (connection) => this.#accept(connection),
      this.#log,
    );
    undo.add(() => {
      this.#sockets.remove(CONTROL_SOCKET);
      listener.close();
    });
    const { metrics } = this.#settings;
    if (metrics) {
      const server = serveMetrics(metrics, () => renderMetrics(this.status(), this.#layers.supply.fetched), this.#log);
      undo.add(() => server.close());
    }
    addon.doorbellBeat();
    this.#every(addon.layout.constants.beatIntervalMs, () => addon.doorbellBeat());
    this.#every(CHECK_EVERY_MS, () => this.#stopIfRemoved());
    this.#watchRemovals(this.#cache.layout.root);
    this.#watchRemovals(cacheDirectory());
    this.#log.info({ version, ...this.#settings }, 'the daemon is ready');
  }

  #every(ms: number, act: () => void): void {
    const timer = setInterval(act, ms).unref();
    this.#undo.add(() => clearInterval(timer));
  }

  /** Has the daemon check at once where something is removed in a directory. Without that, it does now and then. */
  #watchRemovals(directory: string): void {
    try {
      const watcher = watch(directory, { persistent: false }, () => this.#stopIfRemoved());
      watcher.on('error', () => watcher.close());
      this.#undo.add(() => watcher.close());
    } catch (error) {
      this.#log.warn(`cannot watch ${directory}, and looks at it every ${CHECK_EVERY_MS / 1000} s: ${reasonOf(error)}`);
    }
  }

  status(): Status {
    const introduced = [...this.#sessions].filter(({ ringNumber }) => ringNumber !== undefined); // who has said who it is
    return {
      version,
      protocol: addon.layout.constants.controlVersion,
      pid: process.pid,
      started: this.#started.toISOString(),
      cgroup: ownCgroup(),
      cache: this.#cache.layout.root,
      usage: this.#upkeep.usage,
      log: logFile(),
      memory: { rss: process.memoryUsage.rss() },
      workers: {
        count: this.#layers.crew.board.running,
        most: this.#settings.workers,
        engine: this.#settings.engine,
        busy: this.#layers.crew.board.busy,
        restarts: this.#layers.crew.restarts,
      },
      mounts: introduced.filter((session) => !isOfStore(session)).map(describeMount),
      stores: describeStores(introduced.filter(isOfStore), this.#references),
      layers: this.#layers.list().map((layer) => describeLayer(layer, this.#layers.supply)),
      opens: [...this.#sessions].map(({ ring }) => ring ?? NO_OPENS).reduce(addOpens, this.#opensBefore),
      counters: this.#layers.crew.board.counters.all(),
    };
  }

  /**
   * Ends the daemon: mounts that are still there start another one when they next need it. They are served while the disk
   * takes what the cache has for it, which may be long, and hung up on at the very end. A cache that is removed needs no disk.
   */
  async stop(why: string): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#log.info(`the daemon ends: ${why}`);
    this.#idle.stop();
    if (this.#cache.isThere()) await Promise.race([this.#upkeep.sync(), this.#cacheGone]);
    await this.#undo.all((error) => this.#log.error({ error: String(error) }, 'something did not end as it should'));
    this.#end();
  }

  #accept(connection: Connection): void {
    const done = this.#idle.use();
    const session = new Session(connection, {
      ...this.#means,
      starts: this.#starts,
      objectsFd: this.#objectsFd,
      draftsFd: this.#draftsFd,
      layout: this.#cache.layout,
      log: this.#log,
      ended: (ended) => {
        this.#sessions.delete(ended);
        this.#opensBefore = addOpens(this.#opensBefore, { ...(ended.ring ?? NO_OPENS), depth: 0 });
        done();
      },
    });
    this.#sessions.add(session);
  }

  /** Ends the process of a mount, which takes the mount away, wherever it is. Resolves when it has gone. */
  async #umount(pid: number): Promise<boolean> {
    const session = [...this.#sessions].find((one) => one.pid === pid);
    if (session === undefined) return false;
    process.kill(pid, 'SIGTERM');
    await session.ended;
    return true;
  }

  /**
   * A daemon whose cache or sockets were removed ends: the next one makes them anew, mounts get its directories, and
   * whoever looks for it finds it.
   */
  #stopIfRemoved(): void {
    if (!this.#cache.isThere()) {
      this.#tellCacheGone();
      void this.stop('its cache was removed');
    } else if (!this.#sockets.isThere()) void this.stop('its sockets were removed');
  }
}
