// SPDX-License-Identifier: GPL-3.0-or-later

/** A program: indexes a layer of so many entries at a path, and prints by how much its memory grew at most. */

import { readFileSync } from 'node:fs';
import { buildIndex } from '../../src/main/index/build.js';
import { indexMemory } from '../../src/main/index/memory.js';
import { layerOf } from './toc.js';

const [count = '1000000', path = ''] = process.argv.slice(2);

/** A field of /proc/self/status in bytes. */
function memory(field: 'VmRSS' | 'VmHWM'): number {
  const line = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(line?.[1]) * 1024;
}

/** Directories of 15 files, as deep and with names as long as those of language runtimes. */
function entry(i: number): string {
  const place = Math.floor(i / 16);
  const directory = `usr/lib/node_modules/package-${place % 997}/dist/part-${place}`;
  const time = new Date(1.5e12 + i * 1000).toISOString().replace('.000', '');
  if (i % 16 === 0) return JSON.stringify({ name: `${directory}/`, type: 'dir', modtime: time, mode: 493 }, null, '\t');
  const digest = `sha256:${i.toString(16).padStart(64, 'a')}`;
  const name = `${directory}/some-module-${i}.js`;
  const where = { offset: 100 + i * 1000, digest, chunkDigest: digest };
  return JSON.stringify({ name, type: 'reg', size: 1 + (i % 5000), modtime: time, mode: 420, ...where }, null, '\t');
}

async function* json(entries: number): AsyncGenerator<Uint8Array> {
  yield Buffer.from('{\n\t"version": 1,\n\t"entries": [\n');
  for (let i = 0; i < entries; i += 500) {
    const texts = Array.from({ length: Math.min(500, entries - i) }, (_, j) => entry(i + j));
    yield Buffer.from((i === 0 ? '' : ',\n') + texts.join(',\n'));
  }
  yield Buffer.from('\n\t]\n}\n');
}

const before = memory('VmRSS');
const summary = await buildIndex({
  layer: layerOf(json(Number(count)), 2 ** 40),
  path,
  memoryLimit: indexMemory(0),
  blobIdentity: 'layer',
});
process.stdout.write(JSON.stringify({ ...summary, growth: memory('VmHWM') - before }));
