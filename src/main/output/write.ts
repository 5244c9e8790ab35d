// SPDX-License-Identifier: GPL-3.0-or-later

import { once } from 'node:events';

/** Writes to stdout, at the pace of whoever reads it. */
export async function writeOut(content: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(content)) await once(process.stdout, 'drain');
}

/** Writes many small pieces of text to stdout in a few large ones. */
export class Lines {
  #pending: string[] = [];
  #length = 0;

  async write(text: string): Promise<void> {
    this.#pending.push(text);
    this.#length += text.length;
    if (this.#length > 1 << 16) await this.flush();
  }

  /** Writes what is left. */
  async flush(): Promise<void> {
    const text = this.#pending.join('');
    this.#pending = [];
    this.#length = 0;
    if (text !== '') await writeOut(text);
  }
}
