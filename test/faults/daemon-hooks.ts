// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Loaded into a daemon from outside (NODE_OPTIONS=--import): its machine is one on which something is slow or has run out.
 * FAULT says what, as a key of `faults`; FAULT_FILE is a path by which the test and the fault tell each other what is.
 */

import fs from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread } from 'node:worker_threads';

interface Syncs {
  syncFileSystem(fd: number): Promise<void>;
}

const file = process.env['FAULT_FILE'] ?? '';

const faults: Readonly<Record<string, () => void>> = {
  /** While FAULT_FILE is there, the disk takes what it has been given, and FAULT_FILE.held says so. */
  'slow sync': () => {
    const cli = process.argv[1] ?? ''; // dist/src/main/cli.js of the version that runs
    const addon = createRequire(cli)('../../../build/Release/crfs_addon.node') as Syncs;
    addon.syncFileSystem = async () => {
      if (fs.existsSync(file)) fs.writeFileSync(`${file}.held`, '');
      while (fs.existsSync(file)) await sleep(20);
    };
  },
  /** Nor does the clock tell it to look, while FAULT_FILE is there: FAULT_FILE.held has the milliseconds of each timer that would. */
  'no inotify': () => {
    const every = globalThis.setInterval;
    const held = (act: () => void, ms: number): NodeJS.Timeout =>
      every(() => (fs.existsSync(file) ? fs.appendFileSync(`${file}.held`, `${ms}\n`) : act()), ms);
    globalThis.setInterval = held as typeof every;
    fs.watch = () => {
      throw Object.assign(new Error('no inotify instance is left'), { code: 'EMFILE', errno: -24, syscall: 'watch' });
    };
    syncBuiltinESMExports();
  },
};

if (isMainThread && process.argv[2] === 'daemon') faults[process.env['FAULT'] ?? '']?.();
