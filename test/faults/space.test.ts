// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { engineNames } from '../../src/workers/engine-names.js';
import { zstd } from '../tools/compressed-stream.js';
import { noise } from '../tools/content.js';
import { makeLayer } from '../tools/layers.js';
import { Machine, mountingTest, until } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { daemonOf, type Known, knownLayer, objectsOf, readAll, temporaries } from './world.js';

const mounting = mountingTest();

/** A machine whose cache lies on a tmpfs of its own, mounted with these options. */
async function small(
  t: ExecutionContext,
  options: string,
  settings: Record<string, string> = {},
): Promise<{ machine: Machine; cache: string }> {
  const machine = new Machine(settings);
  const cache = machine.directory('cache');
  await run('mount', ['-t', 'tmpfs', '-o', `mode=700,${options}`, 'none', cache]);
  t.teardown(async () => {
    await run('umount', ['-l', cache]); // lazily: the daemon ends first
    await machine.dispose();
  });
  return { machine, cache };
}

const failures = (failed: readonly string[]): Set<string | undefined> =>
  new Set(failed.map((line) => line.split(': ').at(-1)));

for (const [what, options, more] of [
  ['bytes', 'size=12M', 'size=80M'],
  ['inodes', 'nr_inodes=160', 'nr_inodes=9000'],
] as const) {
  mounting(`a cache that runs out of ${what} gives ENOSPC, never wrong bytes, and recovers`, async (t) => {
    const { machine, cache } = await small(t, options);
    const known = await knownLayer(machine, { small: 160, large: 6 });
    const mount = await machine.mount([known.layer]);
    const short = await readAll(mount.merged, known, 4);
    t.deepEqual(short.wrong, []);
    t.deepEqual(failures(short.failed), new Set(['No space left on device']));
    t.deepEqual(
      temporaries(machine).filter((name) => !name.startsWith('job-')),
      [],
    );
    await run('mount', ['-o', `remount,mode=700,${more}`, cache]);
    t.deepEqual(await readAll(mount.merged, known, 4), { failed: [], wrong: [] });
  });
}

/** Large files, each with so many empty directories behind it that its last member goes on far behind its content. */
async function longMembers(machine: Machine): Promise<Known> {
  const tar = join(machine.directory('tars'), 'long.tar');
  const files = Array.from({ length: 8 }, (_, n) => ({ name: `large-${n}`, content: noise(2_090_000, n) }));
  const behind = Array.from({ length: 300 }, (_, d) => d);
  writeTar(
    tar,
    files.flatMap((file) => [file, ...behind.map((d) => ({ name: `behind-${file.name}-${d}/`, type: '5' }))]),
  );
  const digests = files.map(({ name, content }) => [name, createHash('sha256').update(content).digest('hex')] as const);
  return { layer: await makeLayer(tar, { chunkSize: 300_000 }), digests: new Map(digests) };
}

/** A file in a chunk that is too large to be written from memory. */
async function longChunk(machine: Machine): Promise<Known> {
  const tar = join(machine.directory('tars'), 'long.tar');
  const content = noise(9_000_000);
  writeTar(tar, [{ name: 'long', content }]);
  const digest = createHash('sha256').update(content).digest('hex');
  return { layer: await makeLayer(tar, { chunkSize: 16 << 20 }), digests: new Map([['long', digest]]) };
}

for (const engine of engineNames) {
  for (const [what, make] of [
    ['mapped chunks', (machine: Machine) => knownLayer(machine, { small: 40, large: 8 })],
    ['members that go on behind their file', longMembers],
    ['a chunk that is mapped whatever new pages cost', longChunk],
  ] as const) {
    mounting(`a full disk gives ENOSPC and no daemon dies of it: ${what}, inflated by ${engine}`, async (t) => {
      const { machine, cache } = await small(t, 'size=8M', { CRFS_ENGINE: engine });
      const known = await make(machine);
      const mount = await machine.mount([known.layer]);
      const daemon = await daemonOf(machine);
      const short = await readAll(mount.merged, known, 4);
      t.deepEqual(short.wrong, []);
      t.deepEqual(failures(short.failed), new Set(['No space left on device']));
      await run('mount', ['-o', 'remount,mode=700,size=80M', cache]);
      t.deepEqual(await readAll(mount.merged, known, 4), { failed: [], wrong: [] });
      t.is(await daemonOf(machine), daemon);
      t.is((await machine.status())?.workers.restarts, 0);
    });
  }
}

mounting(
  'a disk that gets full in the middle of a file ends its reader there, and others read on once there is room',
  async (t) => {
    const { machine, cache } = await small(t, 'size=8M', { CRFS_READAHEAD: '0' });
    const content = noise(16 << 20);
    const tar = join(machine.directory('tars'), 'large.tar');
    writeTar(tar, [{ name: 'large', content }]);
    const mount = await machine.mount([await makeLayer(tar, { chunkSize: 1 << 20 })]);
    const file = await open(join(mount.merged, 'large'));
    t.teardown(() => file.close());
    const bytes = Buffer.alloc(content.length);
    let at = 0;
    const read = async (): Promise<void> => {
      while (at < bytes.length) at += (await file.read(bytes, at, 1 << 16, at)).bytesRead;
    };
    await t.throwsAsync(read, { code: 'ENOSPC' });
    t.true(at > 1 << 20, 'what there was room for reads');
    t.true(bytes.subarray(0, at).equals(content.subarray(0, at)));
    await run('mount', ['-o', 'remount,mode=700,size=80M', cache]);
    await read();
    t.true(bytes.equals(content), 'the same descriptor reads on');
    t.true((await readFile(join(mount.merged, 'large'))).equals(content));
  },
);

for (const [what, options] of [
  ['bytes', 'size=16M'],
  ['inodes', 'nr_inodes=200'],
] as const) {
  mounting(
    `what is kept of a layer as it is read leaves ${what} of a small disk for its index, and for others`,
    async (t) => {
      const { machine } = await small(t, options, { CRFS_MAX_SIZE: '1T', CRFS_READAHEAD: '0' });
      const layers = machine.directory('layers');
      const tar = join(layers, 'a.tar');
      const contents = Array.from({ length: 250 }, (_, n) => noise(70_000, n));
      writeTar(
        tar,
        contents.map((content, n) => ({ name: String(n), content })),
      );
      const layer = join(layers, 'a.tar.zst');
      writeFileSync(layer, zstd(readFileSync(tar)));
      const { merged } = await machine.mount([layer]);
      const kept = objectsOf(machine).length;
      t.true(kept > 10 && kept < 125, `${kept} of them are kept`);
      t.true(contents.at(-1)?.equals(await readFile(join(merged, '249'))));
    },
  );
}

mounting(
  'with a read-only cache a mount is refused in one line, and mounts again once it can be written',
  async (t) => {
    const { machine, cache } = await small(t, 'size=80M');
    const known = await knownLayer(machine, { small: 20, large: 1 });
    await (await machine.mount([known.layer])).unmount();
    await machine.stop();
    await run('mount', ['-o', 'remount,ro', cache]);
    const error = await t.throwsAsync(machine.mount([known.layer]));
    t.regex(error?.message ?? '', /crfs: .*the daemon did not start: .*read-only file system/i);
    await run('mount', ['-o', 'remount,rw', cache]);
    const mount = await machine.mount([known.layer]);
    t.deepEqual(await readAll(mount.merged, known, 1), { failed: [], wrong: [] });
  },
);

mounting('without room for the cache a mount is refused in one line', async (t) => {
  const { machine } = await small(t, 'nr_inodes=5');
  const known = await knownLayer(machine, { small: 1, large: 0 });
  const error = await t.throwsAsync(machine.mount([known.layer]));
  t.regex(error?.message ?? '', /crfs: .*the daemon did not start: .*no space left on device/i);
});

mounting('an object that was cut short is not served, but filled anew', async (t) => {
  const machine = new Machine({ CRFS_READAHEAD: '0' });
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 20, large: 1 });
  const mount = await machine.mount([known.layer]);
  await readAll(mount.merged, known, 1);
  for (const object of objectsOf(machine)) {
    const content = readFileSync(object);
    rmSync(object);
    writeFileSync(object, content.subarray(0, content.length - 1));
  }
  const cold = await machine.mount([known.layer]); // whose reads the kernel cannot answer by itself
  t.deepEqual(await readAll(cold.merged, known, 2), { failed: [], wrong: [] });
  t.deepEqual(await readAll(mount.merged, known, 2), { failed: [], wrong: [] });
});

mounting('a layer file that is cut short under its mount gives EIO, and never wrong bytes', async (t) => {
  const machine = new Machine({ CRFS_READAHEAD: '0' });
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 20, large: 1 });
  const mount = await machine.mount([known.layer]);
  await run('truncate', ['-s', '1000', known.layer]);
  const reading = await readAll(mount.merged, known, 2);
  t.deepEqual(reading.wrong, []);
  t.deepEqual([...failures(reading.failed)], ['Input/output error']);
  await until('the log tells', () => machine.log.includes('has become shorter'));
  await t.throwsAsync(readFile(join(mount.merged, 'large-0')), { code: 'EIO' });
});
