// SPDX-License-Identifier: GPL-3.0-or-later

import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setImmediate as turn } from 'node:timers/promises';
import { CrfsError } from '../errors/error.js';
import { HOST } from './host.js';

/** As root, fuse-overlayfs complains of an option that it gives itself. */
const ITS_OWN = 'lazytime';
const UNKNOWN = /^unknown argument ignored: (.*)$/;
/** What the plugin says, in one line. */
const OURS = /^crfs: (.+)$/;

/** What fuse-overlayfs says, line by line: kept until it has mounted. An option that it does not know ends it. */
export class Said {
  /** The option that it does not know, if there is one. */
  unknown: string | undefined;
  readonly #tell: (line: string) => void;
  #kept: string[] = [];
  #why: string | undefined;
  #mounted = false;

  /** `tell` is given what is said, but for what an error has to say. */
  constructor(host: ChildProcess, tell: (line: string) => void) {
    this.#tell = tell;
    if (host.stderr === null) return;
    createInterface({ input: host.stderr }).on('line', (line) => {
      const option = UNKNOWN.exec(line)?.[1];
      if (option === ITS_OWN) return;
      if (option !== undefined) {
        this.unknown ??= option;
        host.kill();
        return;
      }
      this.#why ??= OURS.exec(line)?.[1];
      if (this.#mounted) tell(line);
      else this.#kept.push(line);
    });
  }

  /** Resolves when all has been read that it had said by now, and that the pipe holds: each turn of the event loop reads. */
  async heard(): Promise<void> {
    for (let n = 0; n < 2; n++) await turn(); // the first one may have read before
  }

  /** Now that it has mounted, what it says is for whoever has mounted. */
  passOn(): void {
    this.#mounted = true;
    this.#tellKept();
  }

  /** Why it has not mounted. The plugin tells in one line, and what the host says about that adds nothing; else all counts. */
  failure(mountpoint: string): CrfsError {
    if (this.#why === undefined) this.#tellKept();
    return new CrfsError('CRFS_INTERNAL', this.#why ?? `${HOST} has not mounted ${JSON.stringify(mountpoint)}`);
  }

  #tellKept(): void {
    for (const line of this.#kept) this.#tell(line);
  }
}
