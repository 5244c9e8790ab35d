// SPDX-License-Identifier: GPL-3.0-or-later

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import test from 'ava';
import type { LayerReport } from '../../src/main/inspect/verify.js';
import { Layout, type Manifest, types } from '../convert/layout.js';
import { noise } from '../tools/content.js';
import { imageOf as layersOf, pushTars } from '../tools/image.js';
import { makeLayer } from '../tools/layers.js';
import { writeNastyTar } from '../tools/nasty-tar.js';
import { readLayer, sha256 } from '../tools/read-layer.js';
import { startRegistry } from '../tools/registry.js';
import { blobOf, pushImage } from '../tools/registry-image.js';
import { writeTar } from '../tools/tar-writer.js';
import { imageOf, invoke, layerOf, makeMachine, registryTest, SMALL } from './setting.js';

interface Result {
  readonly resolved: string;
  readonly sound: boolean;
  readonly layers: readonly LayerReport[];
}

test('verify proves a layer, and says what it has read', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  t.deepEqual(await invoke(machine, ['verify', layer]), {
    code: 0,
    stdout: `${layer}: ok, 4 files, 17 B\n`,
    stderr: `${layer}: checking, 17 B\n`,
  });
  const { code, stdout } = await invoke(machine, ['verify', '--json', layer]);
  t.is(code, 0);
  const { blob, tocDigest } = readLayer(layer);
  t.deepEqual((JSON.parse(stdout) as Result).layers, [
    {
      number: 1,
      name: layer,
      digest: sha256(blob),
      diffId: sha256(gunzipSync(blob)),
      tocDigest,
      kind: 'estargz',
      files: 4,
      contentSize: 17,
      verifiable: true,
      uncheckedIndex: false,
      problems: [],
    },
  ]);
});

for (const options of [{}, { minChunkSize: 65_536 }, { format: 'stargz' as const }]) {
  test(`verify proves the layer of a nasty tar: ${JSON.stringify(options)}`, async (t) => {
    const machine = makeMachine(t);
    const layer = await makeLayer(writeNastyTar(machine.directory('nasty')).path, options);
    const { code, stdout, stderr } = await invoke(machine, ['verify', '--json', layer]);
    const { layers } = JSON.parse(stdout) as Result;
    t.deepEqual(layers[0]?.problems, []);
    t.is(layers[0]?.verifiable, true);
    t.is(`${code}${stderr}`, '0');
  });
}

test('verify finds the file that a flipped byte is in, and the blob that does not inflate', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, [
    { name: 'good', content: 'good' },
    { name: 'bad\n', content: noise(5000) },
  ]);
  const { blob, entries } = readLayer(layer);
  const offset = entries.find(({ name }) => name === 'bad\n')?.offset ?? 0;
  blob[offset + 2000] = (blob[offset + 2000] ?? 0) ^ 0x10;
  writeFileSync(layer, blob);
  const { code, stdout, stderr } = await invoke(machine, ['verify', layer]);
  t.is(code, 1);
  t.is(stdout, `${layer}: 2 problems\n`);
  t.deepEqual(stderr.split('\n').slice(1).sort(), [
    '',
    `crfs: ${layer}: "bad\\n": a gzip member does not inflate: corrupt data or checksum`,
    `crfs: ${layer}: the blob is no sound gzip stream`,
  ]);
});

test('verify finds content that is sound gzip, and not what the TOC says', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, [
    { name: 'f', content: 'one' },
    { name: 'g', content: 'two' },
  ]);
  const { blob, entries } = readLayer(layer);
  const [start, end] = ['f', 'g'].map((wanted) => entries.find(({ name }) => name === wanted)?.offset);
  const other = await layerOf(machine, [
    { name: 'f', content: 'eno' },
    { name: 'g', content: 'two' },
  ]);
  readLayer(other).blob.copy(blob, start, start, end);
  writeFileSync(layer, blob);
  const { code, stderr } = await invoke(machine, ['verify', layer]);
  t.is(code, 1);
  const wanted = sha256(Buffer.from('one')).slice('sha256:'.length);
  const found = sha256(Buffer.from('eno')).slice('sha256:'.length);
  t.is(
    stderr.split('\n')[1],
    `crfs: ${layer}: "f": the content is not what the TOC says: sha256 ${found}, not ${wanted}`,
  );
});

test('verify says of an image without layers that it has none', async (t) => {
  const machine = makeMachine(t);
  const layout = new Layout(join(machine.root, 'from'));
  layout.index({ one: layout.image([]) });
  const { code, stdout, stderr } = await invoke(machine, ['verify', 'oci:from:one']);
  t.deepEqual([code, stdout, stderr], [0, 'oci:from:one: ok, no layers\n', '']);
  const json = JSON.parse((await invoke(machine, ['verify', '--json', 'oci:from:one'])).stdout) as object;
  t.deepEqual(json, { resolved: 'oci:from:one', sound: true, layers: [] });
});

test('verify finds a wrong digest of a chunk, also where that of its file is right', async (t) => {
  const machine = makeMachine(t);
  const content = noise(3 * 4096);
  const layer = await layerOf(machine, [{ name: 'f', content }], { chunkSize: 4096 });
  const { blob, tocOffset } = readLayer(layer);
  const [right, wrong] = [sha256(content.subarray(4096, 8192)), sha256(Buffer.from('other'))];
  const toc = gunzipSync(blob.subarray(tocOffset, -51)).toString('latin1').replace(right, wrong);
  t.true(toc.includes(wrong));
  writeFileSync(layer, Buffer.concat([blob.subarray(0, tocOffset), gzipSync(toc), blob.subarray(-51)]));
  const { code, stderr } = await invoke(machine, ['verify', layer]);
  t.is(code, 1);
  t.regex(stderr, /"f": the chunk at 4096 is not what the TOC says: /);
});

test('verify of what is no layer says so, and fails', async (t) => {
  const machine = makeMachine(t);
  writeFileSync(join(machine.root, 'no-layer'), 'no layer');
  const { code, stdout, stderr } = await invoke(machine, ['verify', './no-layer']);
  t.is(code, 1);
  t.is(stdout, `${machine.root}/no-layer: 1 problem\n`);
  t.regex(stderr, /^crfs: \S+no-layer: is no layer that can be mounted, or was cut short: .*$/m);
});

registryTest('verify proves every layer of an image against manifest and config', async (t) => {
  const machine = makeMachine(t);
  const tars = ['one', 'two', 'three'].map((name) => join(machine.root, `${name}.tar`));
  for (const tar of tars) writeTar(tar, [{ name: tar.slice(-7), content: tar }]);
  const { name, image } = await imageOf(t, tars);
  const { code, stdout } = await invoke(machine, ['verify', name]);
  t.is(code, 0);
  t.deepEqual(
    stdout.trim().split('\n'),
    image.layers.map(({ digest }, i) => `${i + 1}/3 layer ${digest.slice(0, 19)}: ok, 1 file, ${tars[i]?.length} B`),
  );
});

registryTest('verify finds a blob that the registry has changed', async (t) => {
  const machine = makeMachine(t);
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const tar = join(machine.root, 'image.tar');
  writeTar(tar, [{ name: 'f', content: noise(5000) }]);
  const { layers } = await pushTars([tar], `${registry.host}/img:1`);
  const digest = layers[0]?.digest ?? '';
  const hex = digest.slice('sha256:'.length);
  const stored = join(registry.root, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
  const bytes = readFileSync(stored);
  bytes[4] = 1; // the time in a gzip header: nothing but the digest of the blob tells
  writeFileSync(stored, bytes);
  const { code, stdout } = await invoke(machine, ['verify', '--json', `${registry.host}/img:1`]);
  t.is(code, 1);
  t.deepEqual((JSON.parse(stdout) as Result).layers[0]?.problems, [
    `the digest of the blob is ${sha256(bytes)}, not ${digest}`,
  ]);
});

registryTest('verify finds a wrong TOC digest in the manifest, and a wrong diff ID in the config', async (t) => {
  const machine = makeMachine(t);
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const tar = join(machine.root, 'image.tar');
  writeTar(tar, SMALL);
  const { layers, config } = await layersOf([tar]);
  const wrong = `sha256:${'0'.repeat(64)}`;
  const [layer] = layers;
  const { tocDigest } = readLayer(`${tar}.esgz`);
  const diffId = (JSON.parse(config.bytes.toString()) as { rootfs: { diff_ids: string[] } }).rootfs.diff_ids[0];
  const annotations = { 'containerd.io/snapshot/stargz/toc.digest': wrong };
  const lying = blobOf(config.mediaType, Buffer.from(config.bytes.toString().replace(String(diffId), wrong)));
  t.truthy(layer);
  if (layer === undefined) return;
  await pushImage({ layers: [{ ...layer, annotations }], config: lying }, `${registry.host}/img:1`);
  const { code, stdout } = await invoke(machine, ['verify', '--json', `${registry.host}/img:1`]);
  t.is(code, 1);
  t.deepEqual([...((JSON.parse(stdout) as Result).layers[0]?.problems ?? [])].sort(), [
    `its TOC is ${tocDigest}, not ${wrong} as the manifest says`,
    `the diff ID is ${diffId}, not ${wrong}`,
  ]);
});

for (const [form, named] of [
  ['oci:layout:x', 'oci:layout:x'],
  ['oci-archive:a.tar:x', 'oci-archive:a.tar'],
  ['docker-archive:a.tar:my/app:x', 'docker-archive:a.tar:my/app:x'],
] as const) {
  registryTest(`an image that was written to ${form} can be looked into there, and proven`, async (t) => {
    const machine = makeMachine(t);
    const tar = join(machine.root, 'image.tar');
    writeTar(tar, SMALL);
    const { name } = await imageOf(t, [tar]);
    t.is((await invoke(machine, ['stargzify', '-q', name, form])).code, 0);
    const { code, stdout } = await invoke(machine, ['verify', '--json', named]);
    const [layer] = (JSON.parse(stdout) as Result).layers;
    t.deepEqual([code, layer?.problems, layer?.files], [0, [], 4]);
    t.is((await invoke(machine, ['cat', named, 'usr/share/text'])).stdout, 'shared text\n');
  });
}

test('an image on disk whose layers are others than its config names is not proven', async (t) => {
  const machine = makeMachine(t);
  const layout = new Layout(join(machine.root, 'layout'));
  const image = layout.image([SMALL]);
  layout.index({ plain: image });
  t.is((await invoke(machine, ['stargzify', '-q', 'oci:layout:plain', 'oci:layout:good'])).code, 0);
  const good = layout.manifest('good');
  const plain = layout.read(image.digest) as Manifest;
  layout.index({ bad: layout.putJson(types.manifest, { schemaVersion: 2, ...good, config: plain.config }) });
  const { code, stderr } = await invoke(machine, ['verify', 'oci:layout:bad']);
  t.is(code, 1);
  t.regex(stderr, /the diff ID is sha256:/);
});
