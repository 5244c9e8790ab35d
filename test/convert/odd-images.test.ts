// SPDX-License-Identifier: GPL-3.0-or-later

/** Images that other tools take: without layers, with empty ones, under several names; and several conversions at once. */

import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { CrfsError } from '../../src/main/errors/error.js';
import { silent } from '../../src/main/output/progress.js';
import { checkChunks, readLayer } from '../tools/read-layer.js';
import { run } from '../tools/run.js';
import { tarEnd, tarEntry } from '../tools/tar-writer.js';
import { convertImageBetween as convert } from './image-setting.js';
import { Layout, types } from './layout.js';
import { scratch } from './setting.js';

const entries = [{ name: 'f', content: 'hello' }];
const tar = Buffer.concat([...entries.map((entry) => tarEntry(entry)), tarEnd]);

/** An image of blobs as they are; its config tells of no DiffIDs that matter. */
function imageOfBlobs(layout: Layout, blobs: readonly Uint8Array[], layers?: unknown) {
  const descriptors = blobs.map((blob) => layout.put(types.layer, blob));
  const diffs = descriptors.map(({ digest }) => digest);
  const config = layout.putJson(types.config, { rootfs: { type: 'layers', diff_ids: diffs } });
  return layout.putJson(types.manifest, {
    schemaVersion: 2,
    config,
    layers: layers === undefined ? descriptors : layers,
  });
}

for (const [what, layers] of [
  ['no layers', undefined],
  ['null for its layers', null],
] as const) {
  test(`an image with ${what} stays one`, async (t) => {
    const directory = scratch(t);
    const layout = new Layout(join(directory, 'from'));
    layout.index({ one: imageOfBlobs(layout, [], layers) });
    t.deepEqual((await convert(`oci:${directory}/from`, `oci:${directory}/to:t`)).layers, []);
  });
}

test('the last file of a layer may lack its padding, and the end of its tar its mark', async (t) => {
  const directory = scratch(t);
  const layout = new Layout(join(directory, 'from'));
  layout.index({ one: imageOfBlobs(layout, [gzipSync(tar.subarray(0, 512 + 'hello'.length))]) });
  const { layers } = await convert(`oci:${directory}/from`, `oci:${directory}/to:t`);
  const layer = readLayer(new Layout(join(directory, 'to')).path(layers[0]?.digest ?? ''));
  t.deepEqual(checkChunks(layer), []);
  t.deepEqual(layer.entries.map(({ name }) => name).sort(), ['.no.prefetch.landmark', 'f']);
});

for (const [what, blob] of [
  ['0 bytes', Buffer.alloc(0)],
  ['the gzip of nothing', gzipSync(Buffer.alloc(0))],
  ['an empty tar', gzipSync(tarEnd)],
] as const) {
  test(`a layer of ${what} becomes an empty layer`, async (t) => {
    const directory = scratch(t);
    const layout = new Layout(join(directory, 'from'));
    layout.index({ one: imageOfBlobs(layout, [blob, gzipSync(tar)]) });
    for (const [landmark, options] of [
      ['.no.prefetch.landmark', {}],
      ['.prefetch.landmark', { prioritize: ['f'] }],
    ] as const) {
      const { layers } = await convert(`oci:${directory}/from`, `oci:${directory}/to:t`, options);
      const names = layers.map(({ digest }) =>
        readLayer(new Layout(join(directory, 'to')).path(digest)).entries.map(({ name }) => name),
      );
      t.deepEqual(names[0], [landmark]);
      t.true(names[1]?.includes('f'));
    }
  });
}

test('an image with several names is found without one, and by its place', async (t) => {
  const directory = scratch(t);
  const layout = new Layout(join(directory, 'from'));
  const [one, other] = [layout.image([entries]), layout.image([[]])];
  layout.index({ a: one, b: one });
  const { digest } = await convert(`oci:${directory}/from`, `oci:${directory}/to:t`);
  layout.index({ a: other, b: one });
  t.is((await convert(`oci:${directory}/from:@1`, `oci:${directory}/to:u`)).digest, digest);
  t.not((await convert(`oci:${directory}/from:@0`, `oci:${directory}/to:v`)).digest, digest);
  const error = await t.throwsAsync(convert(`oci:${directory}/from`, `oci:${directory}/to:w`), {
    instanceOf: CrfsError,
  });
  t.regex(error?.message ?? '', /several images/);
});

test('of several images with one tag the first is taken, as other tools do', async (t) => {
  const directory = scratch(t);
  const layout = new Layout(join(directory, 'from'));
  const [one, other] = [layout.image([entries]), layout.image([[]])];
  const note = layout.putJson('application/vnd.example.note+json', {});
  const annotations = { 'org.opencontainers.image.ref.name': 'a' };
  for (const images of [
    [one, other],
    [other, one],
    [note, one],
  ]) {
    const manifests = images.map((image) => ({ ...image, annotations }));
    writeFileSync(join(layout.directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
    await run('skopeo', ['--insecure-policy', 'copy', `oci:${directory}/from:a`, `oci:${directory}/copied:a`]);
    const theirs = await convert(`oci:${directory}/copied:a`, `oci:${directory}/to:t`);
    t.is((await convert(`oci:${directory}/from:a`, `oci:${directory}/to:u`)).digest, theirs.digest);
  }
});

test('a place without an image says so', async (t) => {
  const directory = scratch(t);
  new Layout(join(directory, 'from')).index({});
  const archive = join(directory, 'a.tar');
  writeFileSync(archive, Buffer.concat([tarEntry({ name: 'manifest.json', content: '[]' }), tarEnd]));
  for (const place of [`oci:${directory}/from`, `docker-archive:${archive}`]) {
    const error = await t.throwsAsync(convert(place, `oci:${directory}/to:t`), { instanceOf: CrfsError });
    t.regex(error?.message ?? '', / holds no image$/);
  }
  t.deepEqual(readdirSync(directory).sort(), ['a.tar', 'from']);
});

test('a docker archive without layers, as Go writes an empty list, is an image', async (t) => {
  const directory = scratch(t);
  const config = JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: null } });
  const images = [
    { Config: 'c.json', RepoTags: ['x:y', 'localhost:5000/NoName'], Layers: null },
    { Config: 'c.json', RepoTags: ['z:y'], Layers: null },
  ];
  const files = [
    { name: 'manifest.json', content: JSON.stringify(images) },
    { name: 'c.json', content: config },
  ];
  const archive = join(directory, 'a.tar');
  writeFileSync(archive, Buffer.concat([...files.map((file) => tarEntry(file)), tarEnd]));
  for (const name of ['', ':x:y', ':z:y', ':@1']) {
    t.deepEqual((await convert(`docker-archive:${archive}${name}`, `oci:${directory}/to:t`)).layers, []);
  }
});

test('several conversions into one layout all arrive, and one that fails takes nothing of theirs', async (t) => {
  const directory = scratch(t);
  const from = new Layout(join(directory, 'from'));
  const images = Array.from({ length: 6 }, (_, i) => [`t${i}`, from.image([entries, [{ name: `own-${i}` }]])] as const);
  from.index({ ...Object.fromEntries(images), bad: imageOfBlobs(from, [gzipSync(tar), Buffer.from('no tar')]) });
  const work = [...images.map(([tag]) => tag), 'bad'].map((tag) =>
    convert(`oci:${directory}/from:${tag}`, `oci:${directory}/to:${tag}`),
  );
  const outcomes = await Promise.allSettled(work);
  t.deepEqual(
    outcomes.map(({ status }) => status),
    [...images.map(() => 'fulfilled'), 'rejected'],
  );
  const to = new Layout(join(directory, 'to'));
  for (const [tag] of images) {
    for (const { digest } of to.manifest(tag).layers) t.is(readLayer(to.path(digest)).entries.length, 2);
  }
  t.deepEqual(readdirSync(to.directory).sort(), ['blobs', 'index.json', 'oci-layout']);
});

test('a platform that the only image is not for is warned of, and converted', async (t) => {
  const directory = scratch(t);
  const from = new Layout(join(directory, 'from'));
  from.index({ one: from.image([entries]) });
  const warnings: string[] = [];
  const warn = (line: string): number => warnings.push(line);
  for (const architecture of ['amd64', 'arm64']) {
    await convert(`oci:${directory}/from:one`, `oci:${directory}/to:t`, {
      platform: { os: 'linux', architecture },
      warn,
    });
  }
  t.deepEqual(warnings, [`${directory}/from:one is for linux/amd64, not for linux/arm64, and there is no other`]);
});

test('of prioritized paths, those are told that no layer has, once', async (t) => {
  const directory = scratch(t);
  const from = new Layout(join(directory, 'from'));
  from.index({ one: from.image([[{ name: 'a' }], [{ name: 'b' }]]) });
  const notes: string[] = [];
  const progress = { ...silent, note: (line: string) => notes.push(line) };
  await convert(`oci:${directory}/from:one`, `oci:${directory}/to:t`, {
    prioritize: ['a', 'b', './a', 'c', 'c'],
    progress,
  });
  t.deepEqual(notes, ['nothing matches the prioritized path c']);
});
