// SPDX-License-Identifier: GPL-3.0-or-later

/** A machine that has just been set up: one contender, directories of its own, nothing cached. */

import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Status } from '../../src/main/daemon/status.js';
import { run } from '../../test/tools/run.js';
import { crfs } from '../paths.js';
import type { Undo } from '../undo.js';
import type { Contender } from './contenders.js';
import type { Discard } from './discard.js';
import { hostOf } from './processes.js';

/** A lower directory in both of its forms. */
export interface Lower {
  /** A directory with the extracted tree. */
  readonly tree: string;
  /** The layer as plugins name it: `file:///path`, `http://…`, `docker://…`. */
  readonly layer: string;
}

export interface Mount {
  readonly merged: string;
  /** From the start of fuse-overlayfs until the mount was there. */
  readonly seconds: number;
  readonly unmount: () => Promise<void>;
}

export class Machine {
  readonly contender: Contender;
  readonly #env: NodeJS.ProcessEnv;
  readonly #root: string;
  readonly #undo: Undo;
  readonly #unmounts = new Set<() => Promise<void>>();
  readonly #end: () => Promise<void>;
  #count = 0;

  constructor(contender: Contender, undo: Undo, discard: Discard) {
    this.contender = contender;
    this.#undo = undo;
    this.#end = undo.add(async () => {
      for (const unmount of this.#unmounts) await unmount();
      if (contender.ours) await run(crfs, ['stop'], { env: this.#env });
      discard.remove(this.#root);
    });
    this.#root = mkdtempSync(join(tmpdir(), 'crfs-bench-'));
    this.#env = { ...process.env, ...contender.settings, HOME: this.#directory('home') };
    for (const name of ['cache', 'state', 'config', 'data', 'runtime']) {
      this.#env[name === 'runtime' ? 'XDG_RUNTIME_DIR' : `XDG_${name.toUpperCase()}_HOME`] = this.#directory(name);
    }
  }

  /** Where our daemon keeps the contents of files. */
  get objects(): string {
    return join(this.#root, 'cache/crfs-plugin/v3/objects');
  }

  /**
   * Mounts one lower directory; `writable`: with an upper directory, as a container has it; `threaded`: by a fuse-overlayfs
   * that answers several requests at a time, as it does not by itself.
   */
  async mount(lower: Lower, { writable = false, threaded = false } = {}): Promise<Mount> {
    const { plugin } = this.contender;
    const base = `mount-${this.#count++}`;
    const merged = this.#directory(base, 'merged');
    const upper = `upperdir=${this.#directory(base, 'upper')},workdir=${this.#directory(base, 'work')}`;
    const lowerdir = plugin ? lowerdirOf(lower.layer, this.#directory(base, 'lower')) : lower.tree;
    const options = ['fast_ino=1', ...(plugin ? [`plugins=${plugin}`] : []), `lowerdir=${lowerdir}`];
    if (writable) options.push(upper);
    if (threaded) options.push('threaded=1');
    const started = performance.now();
    const mounting = run('fuse-overlayfs', ['-o', options.join(','), merged], { env: this.#env });
    const unmount = this.#undo.add(async () => {
      this.#unmounts.delete(unmount);
      const mounted = await mounting.then(
        () => true,
        () => false,
      );
      if (mounted) await end(merged);
    });
    this.#unmounts.add(unmount);
    await mounting;
    const seconds = (performance.now() - started) / 1000;
    return { merged, seconds, unmount };
  }

  /** What our daemon tells of itself. */
  async status(): Promise<Status> {
    return JSON.parse(String(await run(crfs, ['status', '--json'], { env: this.#env }))) as Status;
  }

  /** Unmounts what is mounted, ends the daemon, and removes all that was cached. */
  async end(): Promise<void> {
    await this.#end();
  }

  #directory(...names: string[]): string {
    const path = join(this.#root, ...names);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  }
}

/** Ends a mount: with its host, if somebody is still in it. */
async function end(merged: string): Promise<void> {
  try {
    await run('umount', [merged]);
  } catch {
    process.kill(hostOf(merged), 'SIGKILL');
    await run('umount', ['-l', merged]);
  }
}

/** A layer as a lower directory. Standard base64 is what all plugins read; where it has a `/`, only base64url can do. */
function lowerdirOf(layer: string, directory: string): string {
  const standard = Buffer.from(layer).toString('base64');
  return `//crfs/${standard.includes('/') ? Buffer.from(layer).toString('base64url') : standard}/${directory}`;
}
