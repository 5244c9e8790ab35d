// SPDX-License-Identifier: GPL-3.0-or-later

/** Mounts that need more of the cache than `max-size`. */

import { readFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { noise } from '../tools/content.js';
import { makeLayer } from '../tools/layers.js';
import { Machine, mountingTest, until } from '../tools/machine.js';
import { startOrigin } from '../tools/origin.js';
import { writeTar } from '../tools/tar-writer.js';
import { age, cached, knownLayer, objectsOf, readAll } from './world.js';

const mounting = mountingTest();

const LIMIT = 8 << 20;
const MIB = 1 << 20;

/** A layer at a URL, 20 MiB of it: no file is small, so that its blob is that large too. */
async function largeLayer(machine: Machine): Promise<string> {
  const tar = join(machine.directory('tars'), 'large.tar');
  writeTar(
    tar,
    Array.from({ length: 20 }, (_, n) => ({ name: `file-${n}`, content: noise(MIB, n) })),
  );
  return await makeLayer(tar);
}

mounting('files stay in the cache although the blob that they come from is larger than max-size', async (t) => {
  const machine = new Machine({ CRFS_MAX_SIZE: String(LIMIT), CRFS_BACKGROUND: 'off', CRFS_READAHEAD: '0' });
  t.teardown(() => machine.dispose());
  const origin = await startOrigin(readFileSync(await largeLayer(machine)));
  t.teardown(() => origin.close());
  const { merged } = await machine.mount([`${origin.url}/layer`]);
  // all of the blob is there then, and a trim has come
  for (let n = 0; n < 20; n++) t.true((await readFile(join(merged, `file-${n}`))).equals(noise(MIB, n)));
  await until('the cache was looked through', () => machine.log.includes('made the cache smaller'));
  await until('contents are within their part', () => objectsOf(machine).length <= 2);

  const before = (await machine.status())?.mounts[0]?.ring;
  for (let round = 0; round < 5; round++) await readFile(join(merged, 'file-3'));
  await machine.crfs('cache', 'gc');
  const after = (await machine.status())?.mounts[0]?.ring;
  t.true((after?.hits ?? 0) - (before?.hits ?? 0) >= 4, 'what was filled is found again');
  t.true(objectsOf(machine).length > 0, 'gc leaves contents their part');
  await readFile(join(merged, 'file-3'));
  const status = await machine.status();
  t.is(status?.usage.limit, LIMIT);
  t.true((status?.usage.pinned ?? 0) >= 20 * MIB, `${status?.usage.pinned}`);
  t.true((status?.usage.bytes ?? 0) <= (status?.usage.pinned ?? 0) + LIMIT * 0.35 + MIB, JSON.stringify(status?.usage));
  t.regex(await machine.crfs('status'), /^cache +[\d.]+ M\S+ of [\d.]+ M\S+: mounts need [\d.]+ M\S+ of it$/m);
  t.regex(await machine.crfs('cache', 'gc'), /are left, [\d.]+ M\S+ of them for mounts or pinned[,.]/);
});

mounting('a background download ends where the cache has no room, and readers go on', async (t) => {
  const machine = new Machine({ CRFS_MAX_SIZE: String(LIMIT), CRFS_READAHEAD: '0' });
  t.teardown(() => machine.dispose());
  const layer = await largeLayer(machine);
  const origin = await startOrigin(readFileSync(layer));
  t.teardown(() => origin.close());
  const { merged } = await machine.mount([`${origin.url}/layer`]);
  await until('the download has ended', () => machine.log.includes('the cache has no room for more of it'));
  const { fetched } = (await machine.status())?.layers[0] ?? {};
  const there = (fetched?.present ?? 1) * (fetched?.size ?? 0);
  t.true(there >= LIMIT / 2 && there < statSync(layer).size - 2 * MIB, `${there} bytes were fetched`);
  t.true((await readFile(join(merged, 'file-19'))).equals(noise(MIB, 19)));
});

mounting('nothing that mounts need is removed, however old it is', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 20, large: 1 });
  const origin = await startOrigin(readFileSync(known.layer));
  t.teardown(() => origin.close());
  const mount = await machine.mount([`${origin.url}/layer`]);
  t.deepEqual(await readAll(mount.merged, known, 1), { failed: [], wrong: [] });
  await age(machine);
  const requests = origin.requests;
  await machine.crfs('cache', 'clear');
  const left = cached(machine).filter((path) => !path.startsWith('objects/'));
  t.deepEqual(left.map((path) => path.replace(/[0-9a-f]{64}/, '*')).sort(), [
    'blobs/*',
    'blobs/*.blocks',
    'index/*',
    'records/*',
  ]);
  t.deepEqual(await readAll(mount.merged, known, 1), { failed: [], wrong: [] });
  t.is(origin.requests, requests, 'nothing is fetched again');
  await mount.unmount();
  await until('the layer is let go', async () => (await machine.status())?.layers.length === 0);
  await age(machine);
  await machine.crfs('cache', 'clear');
  t.deepEqual(cached(machine), [], 'without the mount all of it goes');
});
