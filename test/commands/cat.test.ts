// SPDX-License-Identifier: GPL-3.0-or-later

import { writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import test from 'ava';
import { noise, text } from '../tools/content.js';
import { startFaultProxy } from '../tools/fault-proxy.js';
import { pushTars } from '../tools/image.js';
import { crfs } from '../tools/machine.js';
import { readLayer, sha256 } from '../tools/read-layer.js';
import { startRegistry } from '../tools/registry.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { invoke, layerOf, makeMachine, registryTest, SMALL } from './setting.js';

test('cat prints a file of many chunks, of one shared member, and behind a symlink', async (t) => {
  const machine = makeMachine(t);
  const large = noise(1_000_000);
  const entries = [
    { name: 'large', content: large },
    { name: 'a', content: text(1000) },
    { name: 'b', content: text(2000) },
    { name: 'd/link', type: '2', linkname: '/b' },
    { name: 'empty' },
  ];
  for (const options of [{ chunkSize: 4096 }, { minChunkSize: 100_000 }, { format: 'stargz' as const }]) {
    const layer = await layerOf(machine, entries, options);
    const cat = async (path: string): Promise<Buffer> => await run(crfs, ['cat', layer, path], { env: machine.env });
    t.true((await cat('large')).equals(large));
    t.is(String(await cat('d/link')), String(text(2000)));
    t.is(String(await cat('a')), String(text(1000)));
    t.is(String(await cat('empty')), '');
  }
});

test('cat shows no progress where nobody looks on', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, [{ name: 'large', content: noise(5_000_000) }]);
  const { code, stderr } = await invoke(machine, ['cat', layer, 'large']);
  t.deepEqual([code, stderr], [0, '']);
});

test('cat prints nothing of a chunk that is not what the TOC says', async (t) => {
  const machine = makeMachine(t);
  const content = noise(3 * 4096);
  const layer = await layerOf(machine, [{ name: 'f', content }], { chunkSize: 4096 });
  const { blob, entries } = readLayer(layer);
  const last = entries.find(({ chunkOffset }) => chunkOffset === 8192);
  const member = last?.offset ?? 0;
  blob[member + 100] = (blob[member + 100] ?? 0) ^ 1;
  writeFileSync(layer, blob);
  const { code, stdout, stderr } = await invoke(machine, ['cat', layer, 'f']);
  t.is(stdout, content.subarray(0, 8192).toString());
  t.is(code, 1);
  t.regex(stderr, /^crfs: .*small\.tar\.esgz: the (gzip member|chunk) at \d+ .*\n$/);
});

test('cat fails where all chunks are what the TOC says, and the file is not', async (t) => {
  const machine = makeMachine(t);
  const content = noise(3 * 4096);
  const layer = await layerOf(machine, [{ name: 'f', content }], { chunkSize: 4096 });
  const { blob, tocOffset } = readLayer(layer);
  const wrong = sha256(Buffer.from('other'));
  const toc = gunzipSync(blob.subarray(tocOffset, -51)).toString('latin1').replace(sha256(content), wrong);
  t.true(toc.includes(wrong));
  writeFileSync(layer, Buffer.concat([blob.subarray(0, tocOffset), gzipSync(toc), blob.subarray(-51)]));
  const { code, stderr } = await invoke(machine, ['cat', layer, 'f']);
  t.is(code, 1);
  t.regex(stderr, /^crfs: .*small\.tar\.esgz: the file is not what the TOC says: sha256 .*\n$/);
});

test('cat refuses what is no file', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  t.deepEqual(await invoke(machine, ['cat', layer, 'etc']), {
    code: 1,
    stdout: '',
    stderr: 'crfs: "etc" is no regular file\n',
  });
});

registryTest('cat fetches the chunks of the file, and no others', async (t) => {
  const machine = makeMachine(t);
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(() => proxy.close());
  const tar = `${machine.root}/image.tar`;
  writeTar(tar, [
    { name: 'before', content: noise(2_000_000, 1) },
    { name: 'wanted', content: noise(100_000, 2) },
    { name: 'after', content: noise(2_000_000, 3) },
  ]);
  await pushTars([tar], `${registry.host}/img:1`);
  const content = await run(crfs, ['cat', `${proxy.host}/img:1`, 'wanted'], { env: machine.env });
  t.true(content.equals(noise(100_000, 2)));
  t.true(proxy.sent < 300_000, `of a layer of 4 MB, ${proxy.sent} bytes were sent`);
});
