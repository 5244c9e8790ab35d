// SPDX-License-Identifier: GPL-3.0-or-later

/** A machine that has just been set up: one contender, directories of its own, nothing cached. */

import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mountedAt } from '../../src/main/daemon/mountinfo.js';
import type { Status } from '../../src/main/daemon/status.js';
import { run } from '../../test/tools/run.js';
import type { Clock } from '../native/clock.js';
import { crfs } from '../paths.js';
import type { Undo } from '../undo.js';
import type { Contender } from './contenders.js';
import type { Discard } from './discard.js';
import { type Lower, mountCommand } from './mount-command.js';
import { ownEnvironment } from './own-environment.js';
import { serverOf } from './processes.js';

const LOOK_EVERY_MS = 20;
/** After which what still serves a mount that has gone is ended. */
const PATIENCE_MS = 30_000;

export interface Mount {
  readonly merged: string;
  /** From the start of what mounts until the mount was there, and a file of it was read, if one was to be. */
  readonly seconds: number;
  readonly unmount: () => Promise<void>;
}

interface MountOptions {
  readonly writable?: boolean;
  readonly threaded?: boolean;
  readonly reading?: string;
  readonly by?: Contender;
}

export class Machine {
  readonly contender: Contender;
  readonly #env: NodeJS.ProcessEnv;
  readonly #root: string;
  readonly #clock: Clock;
  readonly #undo: Undo;
  readonly #unmounts = new Set<() => Promise<void>>();
  readonly #end: () => Promise<void>;
  #count = 0;

  constructor(contender: Contender, clock: Clock, undo: Undo, discard: Discard) {
    this.contender = contender;
    this.#clock = clock;
    this.#undo = undo;
    this.#end = undo.add(async () => {
      for (const unmount of this.#unmounts) await unmount();
      if (contender.ours) await run(crfs, ['stop'], { env: this.#env });
      discard.remove(this.#root);
    });
    this.#root = mkdtempSync(join(tmpdir(), 'crfs-bench-'));
    this.#env = { ...process.env, ...contender.settings, ...ownEnvironment(this.#root) };
  }

  /** Where our daemon keeps the contents of files. */
  get objects(): string {
    return join(this.#root, 'cache/crfs-plugin/v4/objects');
  }

  /**
   * Mounts one lower directory; `writable`: with an upper directory, as a container has it; `threaded`: by a fuse-overlayfs
   * that answers several requests at a time, as it does not by itself; `reading`: a file to read then; `by`: another
   * contender, on this machine.
   */
  async mount(
    lower: Lower,
    { writable = false, threaded = false, reading, by = this.contender }: MountOptions = {},
  ): Promise<Mount> {
    const base = `mount-${this.#count++}`;
    const merged = this.#directory(base, 'merged');
    const changes = { upper: this.#directory(base, 'upper'), work: this.#directory(base, 'work') };
    const directories = { merged, lower: this.#directory(base, 'lower'), ...(writable ? { changes } : {}) };
    const command = mountCommand(by, lower, directories, threaded);
    const read = reading === undefined ? [] : ['sh', '-c', '"$@" && exec cat "$0" >/dev/null', join(merged, reading)];
    const mounting = this.#clock.time([...read, ...command], { env: this.#env });
    const unmount = this.#undo.add(async () => {
      this.#unmounts.delete(unmount);
      await mounting.catch(() => undefined);
      if (mountedAt(merged) !== undefined) await end(merged);
    });
    this.#unmounts.add(unmount);
    return { merged, seconds: await mounting, unmount };
  }

  /** Runs a command of ours. Resolves to what it prints. */
  async crfs(...words: readonly string[]): Promise<string> {
    return String(await run(crfs, words, { env: this.#env }));
  }

  /** What our daemon tells of itself. */
  async status(): Promise<Status> {
    return JSON.parse(await this.crfs('status', '--json')) as Status;
  }

  /** Unmounts what is mounted, ends the daemon, and removes all that was cached. */
  async end(): Promise<void> {
    await this.#end();
  }

  /** A directory that all users of a mount may enter, as an upper directory is its root. */
  #directory(...names: string[]): string {
    const path = join(this.#root, ...names);
    mkdirSync(path, { recursive: true, mode: 0o755 });
    return path;
  }
}

/** Ends a mount: with what serves it, if somebody is still in it; else once that has made what it makes for later mounts. */
async function end(merged: string): Promise<void> {
  try {
    await run('umount', [merged]);
  } catch {
    const server = serverOf(merged);
    if (server !== undefined) process.kill(server, 'SIGKILL');
    await run('umount', ['-l', merged]);
  }
  const patience = performance.now() + PATIENCE_MS;
  for (let server = serverOf(merged); server !== undefined; server = serverOf(merged)) {
    if (performance.now() > patience) process.kill(server, 'SIGKILL');
    await sleep(LOOK_EVERY_MS);
  }
}
