// SPDX-License-Identifier: GPL-3.0-or-later

/** Remote blobs whose bytes were damaged in the cache, or are wrong where they come from. */

import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { Machine, mountingTest, until } from '../tools/machine.js';
import { type Origin, startOrigin } from '../tools/origin.js';
import { damage, dropObjects, type Known, knownLayer, readAll } from './world.js';

const mounting = mountingTest();

interface World {
  readonly machine: Machine;
  readonly known: Known;
  readonly origin: Origin;
  readonly url: string;
}

/** A layer at a URL, all of it in the cache of a daemon that has ended. */
async function prepare(t: ExecutionContext): Promise<World> {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 60, large: 2 });
  const origin = await startOrigin(readFileSync(known.layer));
  t.teardown(() => origin.close());
  const url = `${origin.url}/layer`;
  const mount = await machine.mount([url]);
  t.deepEqual(await readAll(mount.merged, known, 2), { failed: [], wrong: [] });
  await until('all is fetched', async () => (await machine.status())?.layers[0]?.fetched?.present === 1);
  await mount.unmount();
  await machine.stop();
  dropObjects(machine);
  return { machine, known, origin, url };
}

/** The blob in the cache. */
function blobOf(machine: Machine): string {
  const blobs = join(machine.objects, '../blobs');
  const names = readdirSync(blobs, { recursive: true, encoding: 'utf8' });
  return join(blobs, names.find((name) => /[0-9a-f]{64}$/.test(name)) ?? '');
}

mounting('bytes of a remote blob that the disk has damaged are fetched again, and no others', async (t) => {
  const { machine, known, origin, url } = await prepare(t);
  const path = blobOf(machine);
  const { size } = statSync(path);
  damage(path, 100, Math.floor(size / 2), Math.floor(size / 3));
  const before = origin.requests;
  const mount = await machine.mount([url]);
  t.deepEqual(await readAll(mount.merged, known, 4), { failed: [], wrong: [] });
  const status = await machine.status();
  const fetched = status?.layers[0]?.fetched?.bytes ?? 0;
  t.true(fetched > 0 && fetched < size / 2, `${fetched} of ${size}`);
  t.true(origin.requests > before);
  t.true(machine.log.includes('again: '));
  t.like(status?.counters, { errors: 0, digestErrors: 0 });
});

mounting('the same while it is mounted', async (t) => {
  const { machine, known, url } = await prepare(t);
  const mount = await machine.mount([url]);
  t.deepEqual(await readAll(mount.merged, known, 2), { failed: [], wrong: [] });
  dropObjects(machine);
  damage(blobOf(machine), 100);
  t.deepEqual(await readAll(mount.merged, known, 4), { failed: [], wrong: [] });
});

mounting('bytes that are wrong where they come from are fetched once more, and are EIO then', async (t) => {
  const { machine, known, origin, url } = await prepare(t);
  damage(blobOf(machine), 100);
  origin.content = Buffer.from(origin.content);
  origin.content.fill(0xee, 100, 2100);
  const mount = await machine.mount([url]);
  const outcome = async (): Promise<{ failed: string[]; wrong: string[] }> => await readAll(mount.merged, known, 1);
  const first = await outcome();
  t.deepEqual(first.wrong, []);
  t.true(first.failed.length > 0 && first.failed.every((line) => line.includes('Input/output error')));
  const requests = origin.requests;
  t.deepEqual(await outcome(), first);
  t.is(origin.requests, requests, 'they are not asked for a third time');
});

mounting('a TOC that the disk has damaged is fetched again', async (t) => {
  const { machine, known, url } = await prepare(t);
  const path = blobOf(machine);
  damage(path, statSync(path).size - 4000);
  rmSync(join(machine.objects, '../records'), { recursive: true });
  const mount = await machine.mount([url]);
  t.deepEqual(await readAll(mount.merged, known, 1), { failed: [], wrong: [] });
  t.true(machine.log.includes('fetching its TOC again: '));
});
