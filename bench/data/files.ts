// SPDX-License-Identifier: GPL-3.0-or-later

/** Files as compressible as a real root file system, of one size: cut out of the tar of one. */

import { closeSync, fstatSync, mkdirSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../test/tools/run.js';
import { shuffled } from './random.js';

const KINDS = {
  small: { count: 8192, size: 4 << 10, block: 4 << 10 },
  large: { count: 16, size: 64 << 20, block: 1 << 20 },
} as const;
const DIRECTORIES = 8;

/** Writes the files into the directories `0` to `7` of a new directory. No two have the same content. */
export async function writeFiles(directory: string, tar: string, kind: keyof typeof KINDS): Promise<void> {
  const { count, size, block } = KINDS[kind];
  const fd = openSync(tar, 'r');
  const blocks = Math.floor(fstatSync(fd).size / block);
  const content = Buffer.alloc(size);
  for (let n = 0; n < DIRECTORIES; n++) mkdirSync(join(directory, String(n)), { recursive: true });
  const perFile = size / block;
  // one block each: all in one order; many: in an order of each file's own
  const order = perFile === 1 ? shuffled(blocks, 0) : [];
  for (let n = 0; n < count; n++) {
    const chosen = perFile === 1 ? [order[n % blocks] ?? 0] : shuffled(blocks, n).slice(0, perFile);
    for (const [at, from] of chosen.entries()) readSync(fd, content, at * block, block, from * block);
    content.writeUInt32LE(n); // blocks of zeros are alike
    writeFileSync(join(directory, String(n % DIRECTORIES), `file-${String(n).padStart(4, '0')}`), content);
  }
  closeSync(fd);
  // whole seconds: a TOC made of a plain tar has no others
  await run('find', [directory, '-exec', 'touch', '-h', '-d', '@1700000000', '{}', '+']);
}
