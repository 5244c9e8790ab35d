// SPDX-License-Identifier: GPL-3.0-or-later

/** A user's view of the product: directories of its own, mounts by the real fuse-overlayfs, one daemon. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { Status } from '../../src/main/daemon/status.js';
import { askDaemon } from './ask.js';
import { run } from './run.js';

/** The checkout: compiled, this file stands at dist/test/tools. */
export const top = fileURLToPath(new URL('../../..', import.meta.url));
export const crfs = join(top, 'bin/crfs');
export const plugin = join(top, 'crfs-plugin.so');

/** What has not come about by then never will, on however slow a machine. */
const PATIENCE_MS = 240_000;

export interface MountOptions {
  /** Without one, the mount is read-only. */
  readonly upper?: boolean;
  /** More `-o` options; default: fast_ino=1 */
  readonly options?: readonly string[];
  /** Keep fuse-overlayfs in the foreground, as our child. */
  readonly foreground?: boolean;
  /** A command that runs what follows it; default: none. */
  readonly through?: readonly string[];
}

export interface Mount {
  readonly merged: string;
  readonly upper: string;
  /** The host, if it runs in the foreground. */
  readonly host?: ChildProcess;
  unmount(): Promise<void>;
}

/** Why mounts cannot be made on this machine, or undefined. */
export function whyNoMounts(): string | undefined {
  if (process.geteuid?.() !== 0) return 'mounts with owners of their own need root';
  if (statSync('/dev/fuse', { throwIfNoEntry: false }) === undefined) return 'there is no /dev/fuse';
  return undefined;
}

/** `test.serial` of ava where mounts can be made; else `test.skip`, once it has been told why. */
export function mountingTest(why: string | undefined = whyNoMounts()): typeof test.serial | typeof test.skip {
  if (why === undefined) return test.serial;
  process.stderr.write(`tests that mount are skipped: ${why}\n`);
  return test.skip;
}

/** Removes a directory. Returns whether it has gone, wholly: nothing was made in it meanwhile, or is mounted there. */
function isRemoved(directory: string): boolean {
  try {
    rmSync(directory, { recursive: true, force: true });
    return true;
  } catch (error) {
    if (['EBUSY', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

/** Waits, with bounded patience, until something is so. `what` names it. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; !(await holds()); await sleep(20)) {
    if (Date.now() > end) throw new Error(`within ${PATIENCE_MS} ms it did not come about that ${what}`);
  }
}

/** Stops a process; resolves when none of its threads does anything any more. */
export async function stop(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  const threads = `/proc/${pid}/task`;
  await until(`all threads of ${pid} are stopped`, () =>
    readdirSync(threads).every((thread) => /^State:\s+T/m.test(readFileSync(`${threads}/${thread}/status`, 'utf8'))),
  );
}

/** A layer file as fuse-overlayfs names it. */
export function lowerdir(configuration: string, directory: string): string {
  return `//crfs/${Buffer.from(configuration).toString('base64url')}/${directory}`;
}

export class Machine {
  readonly root: string;
  readonly env: NodeJS.ProcessEnv;
  readonly #mounts = new Set<Mount>();
  #count = 0;

  constructor(settings: Record<string, string> = {}) {
    this.root = mkdtempSync(join(tmpdir(), 'crfs-test-'));
    this.env = {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CRFS_'))),
      HOME: this.directory('home'),
      XDG_CACHE_HOME: this.directory('cache'),
      XDG_STATE_HOME: this.directory('state'),
      XDG_CONFIG_HOME: this.directory('config'),
      XDG_RUNTIME_DIR: this.directory('run'),
      ...settings,
    };
  }

  get #cache(): string {
    return this.env['XDG_CACHE_HOME'] ?? '';
  }

  get objects(): string {
    return join(this.root, 'cache/crfs-plugin/v3/objects');
  }

  /** What the daemons have logged so far. */
  get log(): string {
    return readFileSync(join(this.root, 'state/crfs-plugin/daemon.log'), 'utf8');
  }

  /** A directory that goes away with the machine. */
  directory(name: string): string {
    const path = join(this.root, name);
    mkdirSync(path, { recursive: true, mode: 0o755 });
    return path;
  }

  /** Mounts lower directories, the topmost first: layer files (`*gz`), URLs, images, or plain directories. */
  async mount(lowers: readonly string[], options: MountOptions = {}): Promise<Mount> {
    const base = this.directory(`mount-${this.#count++}`);
    const [merged = '', upper = '', work = '', lower = ''] = ['merged', 'upper', 'work', 'lower'].map((name) =>
      this.directory(join(base.slice(this.root.length + 1), name)),
    );
    const lowerdirs = lowers.map((path) => (/gz$|^\w+:\/\//.test(path) ? lowerdir(path, lower) : path)).join(':');
    const mountOptions = [
      ...(options.options ?? ['fast_ino=1']),
      `plugins=${plugin}`,
      `lowerdir=${lowerdirs}`,
      ...(options.upper ? [`upperdir=${upper}`, `workdir=${work}`] : []),
    ];
    const flags = options.foreground ? ['-f'] : [];
    const command = [...(options.through ?? []), 'fuse-overlayfs', ...flags, '-o', mountOptions.join(','), merged];
    const [program = '', ...args] = command;
    let host: ChildProcess | undefined;
    if (options.foreground) {
      host = spawn(program, args, { env: this.env, stdio: ['ignore', 'inherit', 'inherit'] });
      await until(`${merged} is mounted`, () => statSync(merged).dev !== statSync(base).dev);
    } else {
      await run(program, args, { env: this.env });
    }
    const mount: Mount = {
      merged,
      upper,
      ...(host ? { host } : {}),
      unmount: async () => {
        await run('umount', [merged]);
        this.#mounts.delete(mount);
        if (host && host.exitCode === null && host.signalCode === null) await once(host, 'exit');
      },
    };
    this.#mounts.add(mount);
    return mount;
  }

  /** Runs `crfs` with arguments. */
  async crfs(...args: string[]): Promise<string> {
    return String(await run(crfs, args, { env: this.env }));
  }

  /** What `crfs status --json` prints. */
  async status(): Promise<Status | null> {
    return JSON.parse((await askDaemon(this.#cache, '/status')) ?? 'null') as Status | null;
  }

  /** Unmounts everything, ends the daemon, if there ever was one, and removes all files. */
  async dispose(): Promise<void> {
    for (const mount of this.#mounts) await mount.unmount().catch(() => run('umount', ['-l', mount.merged]));
    // a host that was about to end may have started one more daemon, which makes its directories meanwhile
    await until('the directories of a test are gone', async () => {
      if (existsSync(join(this.#cache, 'crfs-plugin'))) await this.crfs('stop');
      return isRemoved(this.root);
    });
  }
}
