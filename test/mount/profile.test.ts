// SPDX-License-Identifier: GPL-3.0-or-later

/** What is learned of a start, and kept. */

import { readdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BLOCK } from '../../src/main/fetch/blocks.js';
import { sameBytes } from '../tools/bytes.js';
import { noise } from '../tools/content.js';
import { Gate } from '../tools/gate.js';
import { anyDriver, eachDriver, until, whyNoMounts } from '../tools/machine.js';
import { missing } from '../tools/registry.js';
import { MIB, onlyThese, type RemoteLayer, remoteLayer } from '../tools/remote-layer.js';
import { run } from '../tools/run.js';
import { learn, shown, startOf, WATCHED } from '../tools/started.js';

const both = eachDriver(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));
const shared = anyDriver(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

const FILES = { one: noise(200_000, 1), two: noise(300_000, 2), large: noise(8 * MIB, 3), unread: noise(100_000, 4) };

both('a first start is recorded as it happens: each file once, of large ones the chunks that were read', async (t) => {
  const { machine, mount, image } = await remoteLayer(t, FILES);
  const large = [`if=${join(mount.merged, 'large')}`, 'bs=4k', 'count=1', 'iflag=direct', 'status=none'];
  await run('dd', [...large, 'skip=1300']); // of the sixth MiB, before anything else has brought it along
  await readFile(join(mount.merged, 'two'));
  await readFile(join(mount.merged, 'one'));
  await readFile(join(mount.merged, 'two'));
  await until('all of it is noted', async () => (await startOf(machine))?.files === 3);
  t.like(await startOf(machine), { recording: 'under way' });
  const message = /there is no profile of \S+ yet: its start is being recorded, and kept once/;
  for (const name of ['show', 'push', 'rm']) await t.throwsAsync(machine.crfs('profile', name, image), { message });
  await mount.unmount();
  await until('it is kept', () =>
    shown(machine, image).then(
      () => true,
      () => false,
    ),
  );
  const { program, layers, order } = await shown(machine, image);
  t.deepEqual(
    order.map(({ layer, path, first, count }) => [layer, path, first, count]),
    [
      [0, 'large', 5, 1],
      [0, 'two', 0, 1],
      [0, 'one', 0, 1],
    ],
  );
  t.is(program, '/large'); // all files of this layer are executable
  t.is(layers.length, 1);
  t.true(order.every(({ bytes }) => bytes > 100_000));
});

shared('what was learned outlives the contents of the cache and the daemon, until it is removed', async (t) => {
  const { machine, mount, image, registry } = await remoteLayer(t, FILES);
  await readFile(join(mount.merged, 'one'));
  await until('it is noted', async () => (await startOf(machine))?.files === 1);
  await machine.crfs('stop'); // which ends no mount, but all that the daemon does for it
  await mount.unmount();
  await machine.crfs('cache', 'clear');
  t.regex(
    await machine.crfs('profile', 'show', image),
    /^sha256:.*\n {2}recorded .* with \/one\n {2}1 file, .* from 1 of 1 layer\n.*\n0 ms +1 .* \/one\n$/s,
  );
  const { image: digest } = await shown(machine, image);
  await registry.stop();
  t.is((await shown(machine, digest)).order.length, 1);
  await machine.crfs('profile', 'rm', digest);
  await t.throwsAsync(machine.crfs('profile', 'rm', digest), { message: /there is no profile of sha256:/ });
});

shared(
  'of a mount of which all is here, and of one that another daemon goes on with, nothing is recorded',
  async (t) => {
    const { machine, mount, image } = await remoteLayer(t, FILES);
    await machine.stop();
    await readFile(join(mount.merged, 'one')); // which starts another one
    t.deepEqual((await machine.status())?.mounts[0]?.starts, []);
    await machine.crfs('prefetch', image);
    await mount.unmount();
    const again = await machine.mount([image]);
    await readFile(join(again.merged, 'two'));
    t.like(await startOf(machine), { recording: 'off', order: null });
    await again.unmount();
    await t.throwsAsync(machine.crfs('profile', 'show', image), {
      message: /there is no profile of [^\n]*, and so does `crfs profile record docker:\S+`\n?$/,
    });
  },
);

/** Bytes of the end of the blob, which come with the TOC. */
function end({ blob }: RemoteLayer): { from: number; end: number } {
  return { from: blob.length - MIB - BLOCK, end: blob.length };
}

shared('the next start is fetched as the first one has read, before anybody asks, and nothing else', async (t) => {
  const layer = await remoteLayer(t, { ...FILES, unread: noise(3 * MIB, 5) }, WATCHED);
  const { machine, proxy, image, span } = layer;
  await learn(layer, 'two', 'large');
  const others = new Gate();
  t.teardown(() => others.open());
  proxy.fault = onlyThese(others, { from: span('two').from, end: span('large').end }, end(layer));
  const again = await machine.mount([image]);
  await until('all of it is there', async () => (await startOf(machine))?.order?.fetching === 'ended');
  t.is(others.arrivals, 0);
  proxy.fault = ({ path }) => (path.includes('/blobs/') ? { kind: 'status', status: 404 } : undefined);
  for (const file of ['two', 'large'] as const) sameBytes(t, await readFile(join(again.merged, file)), FILES[file]);
  await until('it is known that this was right', async () => ((await startOf(machine))?.order?.foreseen ?? 0) >= 2);
  t.like((await startOf(machine))?.order, { files: 2, unforeseen: 0 });
  t.regex(
    await machine.crfs('status'),
    /fetching ahead of it: 2 files, 8\.\d MiB, ended; \d+ reads of these, 0 of others/,
  );
});

shared('beside an order that is right, what was not foreseen comes alone, without what lies around it', async (t) => {
  const layer = await remoteLayer(t, { ...FILES, last: noise(2 * MIB, 7) }, WATCHED);
  const { machine, proxy, image, span } = layer;
  await learn(layer, 'one');
  const others = new Gate();
  t.teardown(() => others.open());
  proxy.fault = onlyThese(others, { from: span('one').from, end: span('two').end }, end(layer));
  const again = await machine.mount([image]);
  await until('all of it is there', async () => (await startOf(machine))?.order?.fetching === 'ended');
  sameBytes(t, await readFile(join(again.merged, 'two')), FILES.two);
  await until('it is noted', async () => (await startOf(machine))?.order?.unforeseen === 1);
  t.is(others.arrivals, 0);
});

shared('an order that is wrong holds up no reader; it is given up, and replaced', async (t) => {
  const names = Array.from({ length: 9 }, (_, n) => `other-${n}`);
  const others = Object.fromEntries(names.map((name, n) => [name, noise(200_000, 10 + n)]));
  const space = noise(2 * MIB, 6);
  const layer = await remoteLayer(t, { wrong: noise(500_000, 5), space, ...others, last: noise(2 * MIB, 7) }, WATCHED);
  const { machine, proxy, image, span } = layer;
  await learn(layer, 'wrong');
  const gate = new Gate();
  t.teardown(() => gate.open());
  const { from, end: to } = span('wrong');
  proxy.fault = (seen) => {
    const first = Number(/^bytes=(\d+)-/.exec(seen.headers.range ?? '')?.[1] ?? -1);
    return seen.path.includes('/blobs/') && first >= from && first < to ? { kind: 'hold', gate, after: 0 } : undefined;
  };
  const again = await machine.mount([image]);
  await until('it is asked for what was learned', () => gate.arrivals > 0);
  for (const name of names) sameBytes(t, await readFile(join(again.merged, name)), others[name] ?? Buffer.alloc(0));
  await until('all is noted', async () => (await startOf(machine))?.order?.unforeseen === names.length);
  t.like((await startOf(machine))?.order, { foreseen: 0, fetching: 'stopped' });
  gate.open();
  await again.unmount();
  const paths = async (): Promise<string[]> => (await shown(machine, image)).order.map(({ path }) => path);
  await until('it is replaced', async () => (await paths()).length === names.length);
  t.deepEqual(await paths(), names);
});

shared('a profile that somebody has damaged changes nothing but what is fetched ahead', async (t) => {
  const layer = await remoteLayer(t, FILES, WATCHED);
  const { machine, image } = layer;
  await learn(layer, 'one');
  const [name = ''] = readdirSync(join(machine.objects, '../profiles'));
  writeFileSync(join(machine.objects, '../profiles', name), '{"version":1,"order":[[0,"one",0,1');
  const again = await machine.mount([image]);
  sameBytes(t, await readFile(join(again.merged, 'one')), FILES.one);
  t.is((await startOf(machine))?.order, null);
  await until('it is noted', async () => (await startOf(machine))?.files === 1);
  await again.unmount();
  await until('there is one again', () =>
    shown(machine, image).then(
      () => true,
      () => false,
    ),
  );
  t.is((await shown(machine, image)).order.length, 1);
});
