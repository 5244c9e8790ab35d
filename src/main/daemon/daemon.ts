// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, constants, type FSWatcher, openSync, rmSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { addon, type Watcher } from '../../native/addon.js';
import { Cache } from '../cache/cache.js';
import { cacheDirectory, runtimeDirectory } from '../settings/directories.js';
import type { Settings } from '../settings/options.js';
import { shownConfiguration } from '../sources/configuration.js';
import { version } from '../version.js';
import { type ApiServer, listenApi } from './api.js';
import type { Remote } from './blob.js';
import { Clients } from './clients.js';
import { Indexer } from './indexer.js';
import { OpenLayers } from './layers.js';
import { logFile } from './log.js';
import { renderMetrics } from './metrics.js';
import { type MetricsServer, serveMetrics } from './metrics-server.js';
import { mountNamespace } from './processes.js';
import { Resolver } from './resolver.js';
import { Session } from './session.js';
import type { Status } from './status.js';
import { addOpens, NO_OPENS } from './totals.js';
import { Tracer } from './tracer.js';
import { Upkeep } from './upkeep.js';

/** The daemon of a user: serves all mounts of that user until it is stopped, or has had none for a while. */
export class Daemon {
  /** Resolves when the daemon has ended. */
  readonly ended: Promise<void>;
  readonly #settings: Settings;
  readonly #log: Logger;
  readonly #cache: Cache;
  readonly #indexer: Indexer;
  readonly #layers: OpenLayers;
  readonly #resolver: Resolver;
  readonly #clients: Clients;
  readonly #tracer: Tracer;
  readonly #objectsFd: number;
  readonly #started = new Date();
  readonly #sessions = new Set<Session>();
  readonly #upkeep: Upkeep;
  readonly #beat: NodeJS.Timeout;
  readonly #watch: FSWatcher;
  readonly #socket: string;
  readonly #listener: Watcher;
  readonly #api: ApiServer;
  readonly #metrics: MetricsServer | undefined;
  #idle: NodeJS.Timeout | undefined;
  /** Of mounts that have gone. */
  #opensBefore = NO_OPENS;
  #stopping = false;
  #end: () => void = () => undefined;

  /**
   * Starts the daemon, which answers mounts from now on. `locks` are the descriptors of its locks.
   * Throws CRFS_USAGE where a socket cannot be made.
   */
  constructor(settings: Settings, log: Logger) {
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#settings = settings;
    this.#log = log;
    const runtime = runtimeDirectory();
    this.#cache = new Cache(cacheDirectory());
    const { layout } = this.#cache;
    this.#objectsFd = openSync(layout.objects, constants.O_RDONLY | constants.O_DIRECTORY);
    this.#indexer = new Indexer(layout, settings['index-memory']);
    this.#indexer.warm(); // whoever starts a daemon mounts something
    this.#layers = new OpenLayers(settings, layout, this.#indexer, log);
    this.#upkeep = new Upkeep(this.#cache, this.#layers, settings['max-size'], log);
    this.#resolver = new Resolver(layout, log);
    this.#clients = new Clients(layout.tmp);
    this.#tracer = new Tracer(this.#layers);
    this.#socket = join(runtime, 'control.sock');
    rmSync(this.#socket, { force: true });
    const listening = addon.controlListen(this.#socket);
    this.#listener = new addon.Watcher(listening, () => this.#accept(listening));
    this.#api = listenApi(runtime, {
      status: () => this.status(),
      stop: () => void this.stop('asked to'),
      umount: (pid) => this.#umount(pid),
      trim: (limit) => this.#upkeep.trim(limit),
      trace: (mountpoint, tell, ended) => {
        const session = [...this.#sessions].findLast((one) => one.mountpoint === mountpoint);
        return session && this.#tracer.follow(session, tell, ended);
      },
    });
    const { metrics } = settings;
    if (metrics) this.#metrics = serveMetrics(metrics, () => renderMetrics(this.status(), this.#layers.fetched), log);
    addon.doorbellBeat();
    this.#beat = setInterval(() => addon.doorbellBeat(), addon.layout.constants.beatIntervalMs);
    this.#beat.unref();
    this.#watch = watch(layout.root, { persistent: false }, () => this.#look());
    this.#watchIdle();
    log.info({ version, ...settings }, 'the daemon is ready');
  }

  status(): Status {
    return {
      version,
      protocol: addon.layout.constants.controlVersion,
      pid: process.pid,
      started: this.#started.toISOString(),
      cache: this.#cache.layout.root,
      usage: this.#upkeep.usage,
      log: logFile(),
      memory: { rss: process.memoryUsage.rss() },
      workers: {
        count: this.#settings.workers,
        engine: this.#settings.engine,
        busy: this.#layers.crew.board.busy,
        restarts: this.#layers.crew.restarts,
      },
      mounts: [...this.#sessions].map(({ mountpoint, pid, since, asked, layers, ring }) => ({
        mountpoint,
        pid,
        mountNamespace: mountNamespace(pid),
        since: since.toISOString(),
        configurations: asked.map(shownConfiguration),
        layers: layers.map((layer) => layer.number),
        ring,
      })),
      layers: this.#layers.list().map(({ number, name, record, pinned, blob, users }) => ({
        number,
        name,
        kind: record.kind,
        tocDigest: `sha256:${record.tocDigest}`,
        inodes: record.inodes,
        files: record.files,
        contentSize: record.contentSize,
        verified: verifiedBy(record.unverified, pinned),
        fetched: blob.remote ? describeRemote(blob.remote) : null,
        mounts: users,
      })),
      opens: [...this.#sessions].map(({ ring }) => ring ?? NO_OPENS).reduce(addOpens, this.#opensBefore),
      counters: this.#layers.crew.board.counters(),
    };
  }

  /** Ends the daemon: mounts that are still there start another one when they next need it. */
  async stop(why: string): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#log.info(`the daemon ends: ${why}`);
    this.#upkeep.stop();
    clearInterval(this.#beat);
    this.#watch.close();
    clearTimeout(this.#idle);
    rmSync(this.#socket, { force: true });
    this.#listener.close();
    this.#metrics?.close();
    await this.#layers.crew.stop();
    for (const session of this.#sessions) session.close();
    await this.#indexer.close();
    await this.#cache.close(this.#layers.crew.board.nextGeneration());
    await this.#api.close();
    closeSync(this.#objectsFd);
    this.#end();
  }

  #accept(listening: number): void {
    const connection = addon.controlAccept(listening);
    if (connection === null) return;
    if (connection.uid !== process.geteuid?.()) {
      this.#log.warn({ uid: connection.uid, pid: connection.pid }, 'hung up on another user');
      closeSync(connection.fd);
      return;
    }
    clearTimeout(this.#idle);
    const session = new Session(connection, {
      resolver: this.#resolver,
      clients: this.#clients,
      layers: this.#layers,
      objectsFd: this.#objectsFd,
      layout: this.#cache.layout,
      log: this.#log,
      ended: (ended) => {
        this.#sessions.delete(ended);
        this.#opensBefore = addOpens(this.#opensBefore, { ...(ended.ring ?? NO_OPENS), depth: 0 });
        if (this.#sessions.size === 0 && !this.#stopping) this.#watchIdle();
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

  #watchIdle(): void {
    const timeout = this.#settings['idle-timeout'];
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.stop(`no mount for ${timeout} s`), timeout * 1000);
  }

  /** A daemon whose cache was removed ends: the next one makes it anew, and mounts get its directories. */
  #look(): void {
    if (!this.#stopping && !this.#cache.isThere()) void this.stop('its cache was removed');
  }
}

function verifiedBy(unverified: boolean, pinned: boolean): string {
  if (unverified) return 'nothing: some files have no digest';
  return pinned ? 'the digests of its manifest' : 'the digests of its TOC';
}

function describeRemote({ fetcher, blocks, link, file }: Remote): NonNullable<Status['layers'][number]['fetched']> {
  const { bytes, requests } = fetcher;
  return { bytes, requests, size: file.size, present: blocks.present / Math.max(1, blocks.count), ...link.describe() };
}
