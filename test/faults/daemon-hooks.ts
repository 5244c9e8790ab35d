// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Loaded into a daemon from outside (NODE_OPTIONS=--import): its machine is one on which something is slow or has run out.
 * FAULT says what, as a key of `faults`; FAULT_FILE is a path by which the test and the fault tell each other what is.
 */

import { EventEmitter, once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';

interface Syncs {
  syncFileSystem(fd: number): Promise<void>;
}

const file = process.env['FAULT_FILE'] ?? '';

const faults: Readonly<Record<string, () => void>> = {
  /** The disk takes until FAULT_FILE is removed to write what it has; the file is made when it is asked to. */
  'slow sync': () => {
    const addon = createRequire(import.meta.url)('../../../build/Release/crfs_addon.node') as Syncs;
    addon.syncFileSystem = async () => {
      fs.writeFileSync(file, '');
      const removed = new EventEmitter();
      fs.watchFile(file, { interval: 20 }, ({ nlink }) => nlink === 0 && removed.emit('removed'));
      await once(removed, 'removed');
      fs.unwatchFile(file);
    };
  },
  'no inotify': () => {
    fs.watch = (() => {
      throw Object.assign(new Error('ENOSPC: System limit for number of file watchers reached, watch'), {
        code: 'ENOSPC',
        errno: -28,
        syscall: 'watch',
      });
    }) as typeof fs.watch;
    syncBuiltinESMExports();
  },
  /** It answers mounts, and nobody else. */
  'no answers': () => {
    const { createServer } = http;
    http.createServer = ((listener: http.RequestListener) =>
      createServer((request, response) =>
        fs.existsSync(file) ? request.socket.destroy() : listener(request, response as never),
      )) as typeof http.createServer;
    syncBuiltinESMExports();
  },
};

if (isMainThread && process.argv[2] === 'daemon') faults[process.env['FAULT'] ?? '']?.();
