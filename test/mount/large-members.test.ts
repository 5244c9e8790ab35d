// SPDX-License-Identifier: GPL-3.0-or-later

/** Members that no buffer holds: they are decoded piece by piece, as far as their file goes. */

import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import test, { type ExecutionContext } from 'ava';
import { engineNames } from '../../src/workers/engine-names.js';
import { noise } from '../tools/content.js';
import { makeLayer } from '../tools/layers.js';
import { eachDriver, Machine, mountingTest } from '../tools/machine.js';
import { once } from '../tools/once.js';
import { type TarEntry, writeTar } from '../tools/tar-writer.js';

const mounting = mountingTest();
const both = eachDriver();

const hash = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

async function hashOf(path: string): Promise<string> {
  const digest = createHash('sha256');
  await pipeline(createReadStream(path), digest);
  return digest.digest('hex');
}

/** So many empty directories that the member of the file before them goes on for more than a megabyte. */
const behind = (name: string): TarEntry[] =>
  Array.from({ length: 2500 }, (_, d) => ({ name: `${name}-${d}/`, type: '5' }));

const half = noise(6_000_000, 1);
/** Of 12 MB, more than a worker decodes at once, whatever it comes to when it is compressed. */
const contents = {
  even: Buffer.alloc(12_000_000, 7),
  mixed: Buffer.concat([half, Buffer.alloc(6_000_000)]),
  random: noise(12_000_000, 2),
  small: noise(3_000_000, 3),
};

const hashes = Object.entries(contents).map(([name, content]) => [name, hash(content)] as const);
const place = mkdtempSync(join(tmpdir(), 'crfs-large-'));
test.after.always(() => rmSync(place, { recursive: true }));

for (const chunkSize of [256 << 20, 4 << 20]) {
  const layer = once(async () => {
    const tar = join(place, `large-${chunkSize}.tar`);
    writeTar(
      tar,
      Object.entries(contents).flatMap(([name, content]) => [{ name, content }, ...behind(name)]),
    );
    return await makeLayer(tar, { chunkSize });
  });
  for (const engine of engineNames) {
    const title = `large members read right, in chunks of ${chunkSize >> 20} MiB, by ${engine}`;
    const readAll = async (t: ExecutionContext): Promise<void> => {
      const machine = new Machine({ CRFS_ENGINE: engine });
      t.teardown(() => machine.dispose());
      const mount = await machine.mount([await layer()]);
      for (const [name, expected] of hashes) t.is(await hashOf(join(mount.merged, name)), expected, name);
    };
    if (engine === engineNames[0]) both(title, readAll);
    else mounting(title, readAll); // what inflates knows nothing of what mounts
  }
}
