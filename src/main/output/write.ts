// SPDX-License-Identifier: GPL-3.0-or-later

import { once } from 'node:events';

/** Writes to stdout, at the pace of whoever reads it. */
export async function writeOut(content: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(content)) await once(process.stdout, 'drain');
}

/** Writes many small pieces to stdout in a few large ones. */
export class Lines {
  #pending: Buffer[] = [];
  #length = 0;

  async write(piece: string | Buffer): Promise<void> {
    const bytes = Buffer.from(piece);
    this.#pending.push(bytes);
    this.#length += bytes.length;
    if (this.#length > 1 << 16) await this.flush();
  }

  /** Writes what is left. */
  async flush(): Promise<void> {
    const all = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#length = 0;
    if (all.length > 0) await writeOut(all);
  }
}
