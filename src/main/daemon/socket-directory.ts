// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, constants, openSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory } from '../settings/directories.js';
import { LOCK } from './lock.js';

/** For mounts: csrc/shared/control.h. */
export const CONTROL_SOCKET = 'control.sock';
/** For the command line: api.ts. */
export const API_SOCKET = 'api.sock';

/** The directory of the daemon's sockets, held open: by its descriptor it is reached however long its path is. */
export class SocketDirectory {
  readonly #path = cacheDirectory();
  readonly #fd = openSync(this.#path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);

  /** The path of a file in it, short enough for an address of a socket. */
  path(name: string): string {
    return `/proc/self/fd/${this.#fd}/${name}`;
  }

  remove(name: string): void {
    rmSync(this.path(name), { force: true });
  }

  /** Whether whoever looks for the daemon finds what is here: the directory, the lock and the sockets are where they were. */
  isThere(): boolean {
    return [LOCK, CONTROL_SOCKET, API_SOCKET].every((name) => {
      const inode = statSync(this.path(name), { throwIfNoEntry: false })?.ino;
      return inode !== undefined && statSync(join(this.#path, name), { throwIfNoEntry: false })?.ino === inode;
    });
  }

  close(): void {
    closeSync(this.#fd);
  }
}
