// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Undo } from '../undo.js';

const LARGE = 256 << 10;

/**
 * Takes files away without removing many of them: an ext4 without a journal uses no inode again for minutes after its file
 * was removed, and new files, which are what is measured, then take many times as long. So large files go at once, for
 * their space, and small ones when all is measured.
 */
export class Discard {
  readonly #undo: Undo;
  #directory: string | undefined;
  #count = 0;

  constructor(undo: Undo) {
    this.#undo = undo;
  }

  /** Takes away all files below a directory, which stays. */
  empty(directory: string): void {
    const away = join(this.#place(), String(this.#count++));
    mkdirSync(away);
    for (const [n, path] of filesBelow(directory).entries()) renameSync(path, join(away, String(n)));
    removeLarge(away);
  }

  /** Takes away a directory. */
  remove(directory: string): void {
    const away = join(this.#place(), String(this.#count++));
    renameSync(directory, away);
    removeLarge(away);
  }

  #place(): string {
    if (this.#directory === undefined) {
      const directory = mkdtempSync(join(tmpdir(), 'crfs-bench-away-'));
      this.#directory = directory;
      this.#undo.last(async () => rmSync(directory, { recursive: true, force: true }));
    }
    return this.#directory;
  }
}

function removeLarge(directory: string): void {
  for (const path of filesBelow(directory)) if (statSync(path).size >= LARGE) rmSync(path);
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
