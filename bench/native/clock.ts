// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunOptions, run } from '../../test/tools/run.js';
import type { Undo } from '../undo.js';
import type { Native } from './build.js';

/** Times commands without what Node takes to start them, which for a program of 10 ms would be half of it. */
export class Clock {
  readonly #usage: string;
  readonly #file: string;

  constructor({ usage }: Native, undo: Undo) {
    const directory = mkdtempSync(join(tmpdir(), 'crfs-bench-clock-'));
    undo.last(async () => rmSync(directory, { recursive: true }));
    this.#usage = usage;
    this.#file = join(directory, 'used');
  }

  /** Seconds from the start of a command to its end. One at a time. Throws what it wrote to stderr if it fails. */
  async time(command: readonly string[], options: RunOptions = {}): Promise<number> {
    await run(this.#usage, [this.#file, ...command], options);
    return Number(readFileSync(this.#file, 'utf8').split(' ')[0]) / 1e9;
  }
}
