// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync } from 'node:fs';

/** A descriptor with one owner at a time: who takes it closes it. */
export class HeldFile {
  readonly fd: number;
  #held = true;

  constructor(fd: number) {
    this.fd = fd;
  }

  take(): number {
    this.#held = false;
    return this.fd;
  }

  /** Closes it, unless it was taken. */
  release(): void {
    if (this.#held) closeSync(this.take());
  }
}
