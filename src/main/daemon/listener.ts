// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import type { Logger } from 'pino';
import { addon, type Connection, type Watcher } from '../../native/addon.js';
import { descriptorLimit } from './descriptors.js';
import { encodeAnswer, messageLimit } from './message.js';

/** What whoever meets with EMFILE is told. */
export const NO_DESCRIPTORS =
  `the daemon (process ${process.pid}) may have no more descriptors open: unmount something, or raise its limit (ulimit -n, or ` +
  'LimitNOFILE of the unit that the first mount was made in) and run `crfs stop`';
/** How long a mount that is turned away may take to say what it wants. */
const TURN_AWAY_MS = 1000;

/** Descriptors for those that are served already: eight workers that fill a file each, the index, fetches. */
const DESCRIPTORS_KEPT = 48;

/** Accepts the connections of mounts. */
export class Listener {
  readonly #fd: number;
  readonly #watcher: Watcher;
  readonly #accepted: (connection: Connection) => void;
  readonly #log: Logger;
  /** From this descriptor on, mounts are turned away: those that are there need some more to read with. */
  readonly #most = descriptorLimit() - DESCRIPTORS_KEPT;
  /** A descriptor to give up, so that a mount can be told that there is none left. */
  #spare: number | undefined = openSync('/dev/null', 'r');

  /** Listens at a path. Throws what the socket's calls throw. */
  constructor(path: string, accepted: (connection: Connection) => void, log: Logger) {
    this.#accepted = accepted;
    this.#log = log;
    this.#fd = addon.controlListen(path);
    this.#watcher = new addon.Watcher(this.#fd, () => this.#accept());
  }

  close(): void {
    this.#watcher.close();
    this.#giveUpSpare();
  }

  #accept(): void {
    let connection: Connection | null;
    try {
      connection = addon.controlAccept(this.#fd);
    } catch (error) {
      this.#log.error(`cannot accept a mount: ${(error as Error).message}`);
      this.#giveUpSpare();
      this.#turnAway(this.#acceptInstead());
      return;
    }
    if (connection === null) return;
    if (connection.uid !== process.geteuid?.()) {
      this.#log.warn({ uid: connection.uid, host: connection.pid }, 'hung up on another user');
      closeSync(connection.fd);
    } else if (connection.fd >= this.#most) {
      this.#log.error({ host: connection.pid }, `turned a mount away: there are ${connection.fd} descriptors already`);
      this.#turnAway(connection);
    } else this.#accepted(connection);
  }

  #acceptInstead(): Connection | null {
    try {
      return addon.controlAccept(this.#fd);
    } catch {
      return null; // somebody else was faster, or the whole machine has none left
    }
  }

  /** Tells a mount why it cannot be served. Others wait meanwhile: an event loop that turned for them would do nothing else. */
  #turnAway(connection: Connection | null): void {
    this.#watcher.pause();
    const go = (): void => {
      asked?.close();
      clearTimeout(patience);
      this.#takeSpare();
      this.#watcher.resume();
    };
    const patience = setTimeout(go, TURN_AWAY_MS);
    const asked =
      connection &&
      new addon.Watcher(connection.fd, () => {
        refuse(connection.fd);
        go();
      });
  }

  #giveUpSpare(): void {
    if (this.#spare !== undefined) closeSync(this.#spare);
    this.#spare = undefined;
  }

  #takeSpare(): void {
    try {
      this.#spare ??= openSync('/dev/null', 'r');
    } catch {
      // The next mount that is turned away waits in vain; it gives up by itself.
    }
  }
}

function refuse(fd: number): void {
  try {
    const packet = addon.controlReceive(fd, Buffer.allocUnsafe(messageLimit)); // what is not read would take the answer along
    for (const extra of packet?.fds ?? []) closeSync(extra);
    addon.controlSend(fd, encodeAnswer({ kind: 'error', errno: constants.errno.EMFILE, text: NO_DESCRIPTORS }), []);
  } catch {
    // It has gone.
  }
}
