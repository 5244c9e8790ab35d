// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync } from 'node:fs';

/** A file descriptor with one owner at a time, who closes it. */
export class HeldFile {
  readonly fd: number;
  #held = true;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Hands the descriptor over: whoever takes it closes it. */
  take(): number {
    this.#held = false;
    return this.fd;
  }

  /** Closes it, unless it was taken. */
  release(): void {
    if (this.#held) closeSync(this.take());
  }
}
