// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { noise } from '../tools/content.js';
import { run } from '../tools/run.js';
import { tarEnd, tarEntry } from '../tools/tar-writer.js';
import { scratch } from './setting.js';

const mebi = 1024 * 1024;
const child = fileURLToPath(new URL('./memory-child.js', import.meta.url));

test('a file of 1 GiB needs no more memory than a few chunks per worker', async (t) => {
  const directory = scratch(t);
  const tar = join(directory, 'large.tar');
  const data = noise(64 * mebi);
  const file = openSync(tar, 'w');
  const map = [[512 * mebi, data.length]] as const;
  writeSync(file, tarEntry({ name: 'large', content: data, sparse: { size: 1024 * mebi, map } }));
  writeSync(file, tarEnd);
  closeSync(file);
  const output = await run(process.execPath, [child, tar, join(directory, 'layer')]);
  const { peak, uncompressedSize } = JSON.parse(output.toString()) as { peak: number; uncompressedSize: number };
  t.true(uncompressedSize > 1024 * mebi);
  t.true(statSync(join(directory, 'layer')).size > 64 * mebi);
  t.true(peak < 300 * mebi, `peak ${Math.round(peak / mebi)} MiB`);
});
