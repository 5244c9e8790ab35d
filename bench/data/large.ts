// SPDX-License-Identifier: GPL-3.0-or-later

/** One large file, as compressible as a real root file system, and small ones beside it. */

import { closeSync, fstatSync, mkdirSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../test/tools/run.js';
import { shuffled } from './random.js';

const BLOCK = 1 << 20;
const CHUNK_BLOCKS = 4;
/** Small files, each in a directory of its own beside a file that parts it from the next. */
const SMALL = 4 << 10;
const BETWEEN = 1 << 20;
export const SMALL_FILES = 64;

/** The path of the nth small file. */
export function smallFile(n: number): string {
  return `${String(n).padStart(2, '0')}/small`;
}

/** Writes `large`, so many bytes, and the small files into a new directory; `tar` is what contents are cut out of. */
export async function writeLarge(directory: string, tar: string, size: number): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const fd = openSync(tar, 'r');
  const blocks = Math.floor(fstatSync(fd).size / BLOCK);
  const large = openSync(join(directory, 'large'), 'w');
  const chunk = Buffer.alloc(CHUNK_BLOCKS * BLOCK);
  for (let n = 0; n < size / chunk.length; n++) {
    for (const [at, from] of shuffled(blocks, n).slice(0, CHUNK_BLOCKS).entries()) {
      readSync(fd, chunk, at * BLOCK, BLOCK, from * BLOCK);
    }
    chunk.writeUInt32LE(n); // no two chunks are alike
    writeSync(large, chunk);
  }
  closeSync(large);
  for (let n = 0; n < SMALL_FILES; n++) {
    const content = Buffer.alloc(BETWEEN);
    readSync(fd, content, 0, BETWEEN, (n % blocks) * BLOCK);
    content.writeUInt32LE(n);
    mkdirSync(join(directory, smallFile(n), '..'));
    writeFileSync(join(directory, smallFile(n)), content.subarray(0, SMALL));
    writeFileSync(join(directory, smallFile(n), '../between'), content);
  }
  closeSync(fd);
  await run('find', [directory, '-exec', 'touch', '-h', '-d', '@1700000000', '{}', '+']);
}
