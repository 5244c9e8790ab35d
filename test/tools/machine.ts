// SPDX-License-Identifier: GPL-3.0-or-later

/** A user's view of the product: directories of its own, mounts by the real fuse-overlayfs or the kernel's overlay, one daemon. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { look } from '../../src/main/daemon/processes.js';
import type { Status } from '../../src/main/daemon/status.js';
import { DRIVERS, type Driver } from '../../src/main/mount/driver.js';
import { isAlive } from './alive.js';
import { askDaemon } from './ask.js';
import { run } from './run.js';

/** The checkout: compiled, this file stands at dist/test/tools. */
export const top = fileURLToPath(new URL('../../..', import.meta.url));
export const crfs = join(top, 'bin/crfs');
export const plugin = join(top, 'crfs-plugin.so');
export const lower = join(top, 'crfs-lower');

/** What has not come about by then never will, on however slow a machine. */
const PATIENCE_MS = 240_000;

export interface MountOptions {
  /** Without one, the mount is read-only. */
  readonly upper?: boolean;
  /** More `-o` options of fuse-overlayfs; default: fast_ino=1 */
  readonly options?: readonly string[];
  /** Keep what mounts in the foreground, as our child. */
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

const chosen = new AsyncLocalStorage<Driver>();

/** A test for each of what can mount layers: machines that it makes mount by that. */
export function eachDriver(
  why: string | undefined = whyNoMounts(),
): (title: string, implementation: (t: ExecutionContext, driver: Driver) => unknown) => void {
  const mounting = mountingTest(why);
  return (title, implementation) => {
    for (const driver of DRIVERS) mounting(`${title}, by ${driver}`, byDriver(driver, implementation));
  };
}

/**
 * A test of what is the same whatever mounts: the daemon, registries, what is read of a layer. By what people get, and in the long form by
 * each driver.
 */
export const anyDriver: typeof eachDriver = process.env['CRFS_TEST_LONG'] ? eachDriver : byOverlay;

function byOverlay(
  why: string | undefined = whyNoMounts(),
): (title: string, implementation: (t: ExecutionContext, driver: Driver) => unknown) => void {
  const mounting = mountingTest(why);
  return (title, implementation) => mounting(title, byDriver('overlay', implementation));
}

/** A test whose machines mount by this. */
export function byDriver(
  driver: Driver,
  implementation: (t: ExecutionContext, driver: Driver) => unknown,
): (t: ExecutionContext) => Promise<void> {
  return async (t) => {
    await chosen.run(driver, () => implementation(t, driver));
  };
}

/** Lets go of all mounts of layers that a mount namespace was made with: other tests take theirs away meanwhile. */
export const LET_GO = `umount -l -a -t fuse.fuse-overlayfs || true
  sed -nE 's/^([^ ]+ ){4}([^ ]+).* - (overlay|fuse\\.crfs) crfs .*/\\2/p' /proc/self/mountinfo | xargs -r umount -l || true`;

/** What a command says on both, in a mount namespace without other mounts of layers: dead ones are nobody's. */
export async function toldAlone({ env }: Machine, ...args: string[]): Promise<string> {
  return String(await run('unshare', ['-m', 'sh', '-c', `${LET_GO}\nexec "$@" 2>&1`, 'sh', crfs, ...args], { env }));
}

/** What the kernel tells of a process; '' if it has gone. */
function told(pid: string, what: 'cmdline' | 'environ'): string {
  return look(() => readFileSync(`/proc/${pid}/${what}`, 'latin1')) ?? '';
}

/** Whether what `crfs mount` and `crfs run` start beside themselves is starting a daemon of this cache. */
function isStartingDaemon(cache: string): boolean {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .some(
      (pid) =>
        /crfs-lower\0--daemon\0|bin\/crfs\0(mount|run)\0/.test(told(pid, 'cmdline')) &&
        told(pid, 'environ').split('\0').includes(`XDG_CACHE_HOME=${cache}`),
    );
}

/** Removes a directory. Returns whether it has gone, wholly: nothing was made in it meanwhile, or is mounted there. */
export function isRemoved(directory: string): boolean {
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

/** A layer file as fuse-overlayfs names it. */
export function lowerdir(configuration: string, directory: string): string {
  return `//crfs/${Buffer.from(configuration).toString('base64url')}/${directory}`;
}

interface Places extends Omit<MountOptions, 'upper'> {
  readonly merged: string;
  readonly upper: string | undefined;
  readonly work: string;
}

function hostCommand(lowers: readonly string[], { options, foreground, merged, upper, work }: Places): string[] {
  const directory = dirname(merged); // that the host is to find: it holds nothing
  const lowerdirs = lowers.map((path) => (isConfiguration(path) ? lowerdir(path, directory) : path));
  const all = [
    ...(options ?? ['fast_ino=1']),
    `plugins=${plugin}`,
    `lowerdir=${lowerdirs.join(':')}`,
    ...(upper === undefined ? [] : [`upperdir=${upper}`, `workdir=${work}`]),
  ];
  return ['fuse-overlayfs', ...(foreground ? ['-f'] : []), '-o', all.join(','), merged];
}

function overlayCommand(
  [configuration = '', ...below]: readonly string[],
  { foreground, merged, upper, work }: Places,
): string[] {
  if (!isConfiguration(configuration) || below.some(isConfiguration)) {
    throw new Error('crfs-lower takes one layer file or image, and directories below it');
  }
  return [
    lower,
    ...(foreground ? ['--foreground'] : []),
    ...below.flatMap((directory) => ['--lower', directory]),
    ...(upper === undefined ? [] : ['--upper', upper, '--work', work]),
    configuration,
    merged,
  ];
}

/** What `crfs mount` tells crfs-lower. */
function notes(): NodeJS.ProcessEnv {
  return { CRFS_MOUNT_DRIVER: 'overlay', CRFS_MOUNT_NAMESPACE: readlinkSync('/proc/self/ns/mnt') };
}

/** Whether it is no plain directory. */
function isConfiguration(path: string): boolean {
  return /(gz|zst)$|^\w+:\/\//.test(path);
}

export class Machine {
  readonly driver: Driver;
  readonly root: string;
  readonly env: NodeJS.ProcessEnv;
  readonly #mounts = new Set<Mount>();
  #count = 0;

  constructor(settings: Record<string, string> = {}) {
    this.driver = chosen.getStore() ?? 'fuse-overlayfs';
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
    return join(this.root, 'cache/crfs-plugin/v4/objects');
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

  /**
   * Mounts lower directories, the topmost first: layer files (`*gz`), URLs, images, or plain directories. Plain ones alone,
   * which mounts of layers are compared with, are mounted by fuse-overlayfs.
   */
  async mount(lowers: readonly string[], options: MountOptions = {}): Promise<Mount> {
    const base = this.directory(`mount-${this.#count++}`);
    const [merged = '', upper = '', work = ''] = ['merged', 'upper', 'work'].map((name) =>
      this.directory(join(base.slice(this.root.length + 1), name)),
    );
    const how = { ...options, merged, upper: options.upper ? upper : undefined, work };
    const driver = lowers.some(isConfiguration) ? this.driver : 'fuse-overlayfs';
    const made = driver === 'overlay' ? overlayCommand(lowers, how) : hostCommand(lowers, how);
    const [program = '', ...args] = [...(options.through ?? []), ...made];
    const env = { ...this.env, ...(driver === 'overlay' ? notes() : {}) };
    let host: ChildProcess | undefined;
    if (options.foreground) {
      host = spawn(program, args, { env, stdio: ['ignore', 'inherit', 'inherit'] });
      await until(`${merged} is mounted`, () => statSync(merged).dev !== statSync(base).dev);
    } else {
      await run(program, args, { env });
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

  /** Does what `crfs stop` does, without a process of its own: it puts the cache on the disk, and ends the daemon, if there is one. */
  async stop(): Promise<void> {
    const pid = existsSync(join(this.#cache, 'crfs-plugin')) && (await askDaemon(this.#cache, '/stop', 'POST'));
    if (pid) await until(`daemon ${pid} has ended`, () => !isAlive(Number(pid)));
  }

  /** Unmounts everything, ends the daemon, if there ever was one, and removes all files. */
  async dispose(): Promise<void> {
    for (const mount of this.#mounts) await mount.unmount().catch(() => run('umount', ['-l', mount.merged]));
    // a daemon that is being started, by `crfs mount` or by a host that was about to end, makes its directories meanwhile
    await until('the directories of a test are gone', async () => {
      if (isStartingDaemon(this.#cache)) return false;
      await this.stop();
      return isRemoved(this.root);
    });
  }
}
