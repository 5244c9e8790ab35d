// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { CrfsError, type ErrorCode } from '../../src/main/errors/error.js';
import { noise, text } from '../tools/content.js';
import { checkChunks, readLayer } from '../tools/read-layer.js';
import { run } from '../tools/run.js';
import type { TarEntry } from '../tools/tar-writer.js';
import { checkImage, convertImageBetween as convert } from './image-setting.js';
import { Layout, type Manifest, types } from './layout.js';
import { scratch } from './setting.js';

const base: readonly TarEntry[] = [
  { name: 'bin/', type: '5', mode: 0o755 },
  { name: 'bin/tool', mode: 0o755, content: noise(50_000) },
  { name: 'gone', content: 'gone\n' },
];
const second: readonly TarEntry[] = [{ name: '.wh.gone' }, { name: 'new', content: text(5000) }];

function sourceLayout(t: ExecutionContext): { readonly directory: string; readonly layout: Layout } {
  const directory = scratch(t);
  const layout = new Layout(join(directory, 'from'));
  layout.index({ one: layout.image([base, second]) });
  return { directory, layout };
}

async function refuses(t: ExecutionContext, code: ErrorCode, why: RegExp, work: () => Promise<unknown>): Promise<void> {
  const error = await t.throwsAsync(work, { instanceOf: CrfsError });
  t.is((error as CrfsError | undefined)?.code, code);
  t.regex(error?.message ?? '', why);
}

test('layers, config and manifest of an OCI layout are right after a conversion, the rest is kept', async (t) => {
  const { directory } = sourceLayout(t);
  const to = join(directory, 'to');
  const result = await convert(`oci:${directory}/from:one`, `oci:${to}:stargz`);
  const layout = new Layout(to);
  const manifest = layout.manifest('stargz');
  checkImage(t, layout, manifest);
  t.deepEqual(manifest.annotations, { 'org.example.image': 'yes' });
  t.is(manifest.layers[0]?.annotations?.['org.example.kept'], 'yes');
  t.deepEqual(
    manifest.layers.map(({ mediaType }) => mediaType),
    [types.layer, types.layer],
  );
  t.is(result.layers.length, 2);
  t.deepEqual(readdirSync(join(to, 'blobs')), ['sha256']);
});

test('skopeo and umoci read what was written', async (t) => {
  const { directory } = sourceLayout(t);
  await convert(`oci:${directory}/from:one`, `oci:${directory}/to:stargz`);
  const inspected = JSON.parse((await run('skopeo', ['inspect', `oci:${directory}/to:stargz`])).toString()) as object;
  t.like(inspected, { Architecture: 'amd64', Env: ['A=1'] });
  await run('umoci', ['unpack', '--rootless', '--image', `${directory}/to:stargz`, join(directory, 'bundle')]);
  const root = join(directory, 'bundle/rootfs');
  t.true(readFileSync(join(root, 'bin/tool')).equals(noise(50_000)));
  t.true(existsSync(join(root, 'new')));
  t.false(existsSync(join(root, 'gone')));
});

test('an image that is eStargz already is copied byte for byte', async (t) => {
  const { directory } = sourceLayout(t);
  const first = await convert(`oci:${directory}/from:one`, `oci:${directory}/to:a`);
  const again = await convert(`oci:${directory}/to:a`, `oci:${directory}/again:b`);
  t.is(again.digest, first.digest);
});

test('an eStargz layer without annotations gets them, and stays as it is', async (t) => {
  const { directory } = sourceLayout(t);
  await convert(`oci:${directory}/from:one`, `oci:${directory}/to:a`);
  const layout = new Layout(join(directory, 'to'));
  const before = layout.manifest('a');
  const layers = before.layers.map(({ annotations: _annotations, ...layer }) => layer);
  layout.index({ bare: layout.putJson(types.manifest, { schemaVersion: 2, ...before, layers }) });
  await convert(`oci:${directory}/to:bare`, `oci:${directory}/to:again`);
  const after = layout.manifest('again');
  checkImage(t, layout, after);
  t.deepEqual(
    after.layers.map(({ digest }) => digest),
    before.layers.map(({ digest }) => digest),
  );
  const size = 'io.containers.estargz.uncompressed-size';
  for (const { digest, annotations } of after.layers) {
    t.is(annotations?.[size], String(gunzipSync(readFileSync(layout.path(digest))).length));
  }
  await convert(`oci:${directory}/to:bare`, `oci:${directory}/elsewhere:again`);
  t.deepEqual(new Layout(join(directory, 'elsewhere')).manifest('again'), after);
});

test('the legacy form has no digests in annotations', async (t) => {
  const { directory } = sourceLayout(t);
  await convert(`oci:${directory}/from:one`, `oci:${directory}/to:legacy`, { format: 'stargz' });
  const layout = new Layout(join(directory, 'to'));
  const manifest = layout.manifest('legacy');
  const { layers } = manifest;
  t.deepEqual(
    layout.config(manifest).rootfs.diff_ids,
    layers.map((layer) => layout.diffId(layer)),
  );
  t.deepEqual(layers[0]?.annotations, { 'org.example.kept': 'yes' });
  t.deepEqual(checkChunks(readLayer(layout.path(layers[0]?.digest ?? ''))), []);
});

test('of an index one platform is converted, or all, and a layer that two share only once', async (t) => {
  const directory = scratch(t);
  const from = new Layout(join(directory, 'from'));
  const images = ['amd64', 'riscv64'].map((architecture) => from.image([base, second], { os: 'linux', architecture }));
  const attestation = { ...from.putJson(types.manifest, {}), platform: { os: 'unknown', architecture: 'unknown' } };
  const content = { schemaVersion: 2, mediaType: types.index, manifests: [...images, attestation] };
  from.index({ multi: from.putJson(types.index, content) });
  const to = new Layout(join(directory, 'to'));
  const source = `oci:${from.directory}:multi`;

  await convert(source, `oci:${to.directory}:one`, { platform: { os: 'linux', architecture: 'riscv64' } });
  const one = to.manifest('one');
  checkImage(t, to, one);
  t.like(to.config(one), { architecture: 'riscv64' });

  const result = await convert(source, `oci:${to.directory}:all`, { platform: 'all' });
  t.is(result.layers.length, 2);
  t.deepEqual(result.warnings, [
    `${attestation.digest} is left out: it is about an image, and not about the converted one`,
  ]);
  const { manifests } = to.manifest('all') as unknown as { manifests: { digest: string; platform: object }[] };
  t.deepEqual(
    manifests.map(({ platform }) => platform),
    images.map(({ platform }) => platform),
  );
  for (const { digest } of manifests) checkImage(t, to, to.read(digest) as Manifest);

  const archive = `docker-archive:${directory}/d.tar`;
  await refuses(t, 'CRFS_USAGE', /several platforms/, () => convert(source, archive, { platform: 'all' }));
  const platform = { os: 'linux', architecture: 's390x' };
  await refuses(t, 'CRFS_NOT_FOUND', /linux\/amd64, linux\/riscv64/, () => convert(source, 'oci:no:no', { platform }));
});

test('OCI archives are read and written', async (t) => {
  const { directory } = sourceLayout(t);
  const direct = await convert(`oci:${directory}/from:one`, `oci:${directory}/to:a`);
  await convert(`oci:${directory}/from:one`, `oci-archive:${directory}/a.tar:a`);
  const back = await convert(`oci-archive:${directory}/a.tar`, `oci:${directory}/back:a`);
  t.is(back.digest, direct.digest);
  t.deepEqual(readdirSync(directory).sort(), ['a.tar', 'back', 'from', 'to']);
  const raw = await run('skopeo', ['inspect', '--raw', `oci-archive:${directory}/a.tar:a`]);
  t.deepEqual(JSON.parse(raw.toString()), new Layout(join(directory, 'to')).manifest('a'));
});

test('docker archives are read, also compressed ones', async (t) => {
  const { directory } = sourceLayout(t);
  await run('skopeo', ['copy', `oci:${directory}/from:one`, `docker-archive:${directory}/d.tar:my/app:1`]);
  await run('gzip', ['--keep', join(directory, 'd.tar')]);
  const layout = new Layout(join(directory, 'to'));
  await convert(`docker-archive:${directory}/d.tar`, `oci:${directory}/to:plain`);
  await convert(`docker-archive:${directory}/d.tar.gz:my/app:1`, `oci:${directory}/to:gzip`);
  checkImage(t, layout, layout.manifest('plain'));
  t.deepEqual(layout.manifest('gzip'), layout.manifest('plain'));
  const other = `docker-archive:${directory}/d.tar:other`;
  await refuses(t, 'CRFS_NOT_FOUND', /holds no image other/, () => convert(other, `oci:${directory}/to:x`));
});

test('docker archives are written, with layers that skopeo and podman unpack, and that stay eStargz here', async (t) => {
  const { directory } = sourceLayout(t);
  const direct = await convert(`oci:${directory}/from:one`, `oci:${directory}/to:a`);
  const archive = join(directory, 'd.tar');
  await convert(`oci:${directory}/from:one`, `docker-archive:${archive}:my/app:1`);
  t.deepEqual(readdirSync(directory).sort(), ['d.tar', 'from', 'to']);

  const storage = ['--root', join(directory, 'root'), '--runroot', join(directory, 'run'), '--storage-driver', 'vfs'];
  const loaded = await run('podman', [...storage, 'load', '--input', archive]);
  t.is(loaded.toString(), 'Loaded image: docker.io/my/app:1\n');
  const inspected = await run('skopeo', ['inspect', `docker-archive:${archive}:my/app:1`]);
  t.like(JSON.parse(inspected.toString()), { Architecture: 'amd64', Env: ['A=1'] });
  await run('skopeo', ['copy', `docker-archive:${archive}`, `oci:${directory}/copied:x`]);
  await run('umoci', ['unpack', '--rootless', '--image', `${directory}/copied:x`, join(directory, 'bundle')]);
  t.true(readFileSync(join(directory, 'bundle/rootfs/bin/tool')).equals(noise(50_000)));

  const layout = new Layout(join(directory, 'back'));
  const back = await convert(`docker-archive:${archive}:docker.io/my/app:1`, `oci:${layout.directory}:a`);
  t.deepEqual(
    back.layers.map(({ digest }) => digest),
    direct.layers.map(({ digest }) => digest),
  );
  checkImage(t, layout, layout.manifest('a'));
  t.is((await convert(`oci-archive:${archive}:1`, `oci:${directory}/again:a`)).digest, direct.digest);
});

test('a layer of a docker archive that is not the one of its config is refused', async (t) => {
  const { directory } = sourceLayout(t);
  await convert(`oci:${directory}/from:one`, `docker-archive:${directory}/d.tar`);
  await run('tar', ['-C', directory, '-xf', join(directory, 'd.tar')]);
  const manifest = join(directory, 'manifest.json');
  const [image] = JSON.parse(readFileSync(manifest, 'utf8')) as { RepoTags: null; Layers: string[] }[];
  writeFileSync(manifest, JSON.stringify([{ ...image, Layers: image?.Layers.toReversed() }]));
  await run('tar', ['-C', directory, '-cf', join(directory, 'd.tar'), 'manifest.json', 'blobs']);
  const to = `oci:${directory}/to:x`;
  await refuses(t, 'CRFS_DIGEST', /inflates to/, () => convert(`docker-archive:${directory}/d.tar`, to));
});

test('images in a layout stay beside the new one, but for one of its tag', async (t) => {
  const { directory } = sourceLayout(t);
  for (const tag of ['a', 'b', 'a']) await convert(`oci:${directory}/from:one`, `oci:${directory}/to:${tag}`);
  const { manifests } = JSON.parse(readFileSync(join(directory, 'to/index.json'), 'utf8')) as { manifests: unknown[] };
  t.is(manifests.length, 2);
});

test('a corrupt layer ends a conversion, and nothing is left', async (t) => {
  const { directory, layout } = sourceLayout(t);
  const digest = layout.manifest('one').layers[0]?.digest ?? '';
  const bytes = readFileSync(layout.path(digest));
  bytes[4000] = (bytes[4000] ?? 0) ^ 1;
  writeFileSync(layout.path(digest), bytes);
  await t.throwsAsync(convert(`oci:${directory}/from:one`, `oci:${directory}/to:a`), { instanceOf: CrfsError });
  t.deepEqual(readdirSync(directory), ['from']);
  await t.throwsAsync(convert(`oci:${directory}/from:one`, `oci-archive:${directory}/to.tar`), {
    instanceOf: CrfsError,
  });
  t.deepEqual(readdirSync(directory), ['from']);
});

test('a layer that is another file than its descriptor says is refused', async (t) => {
  const { directory, layout } = sourceLayout(t);
  const [first, other] = layout.manifest('one').layers;
  writeFileSync(layout.path(first?.digest ?? ''), readFileSync(layout.path(other?.digest ?? '')));
  await refuses(t, 'CRFS_DIGEST', /bytes, not/, () => convert(`oci:${directory}/from:one`, `oci:${directory}/to:a`));
});

test('what cannot be an image is refused, and says what there is', async (t) => {
  const { directory, layout } = sourceLayout(t);
  const from = `oci:${directory}/from`;
  const to = `oci:${directory}/to:x`;
  await refuses(t, 'CRFS_NOT_FOUND', /holds no image two; it holds: one/, () => convert(`${from}:two`, to));
  layout.index({ a: layout.image([base]), b: layout.image([second]) });
  await refuses(t, 'CRFS_USAGE', /several images.*a, b/, () => convert(from, to));
  const config = layout.putJson(types.config, { rootfs: { diff_ids: [] } });
  const layers = [{ ...config, mediaType: 'application/vnd.in-toto+json' }];
  layout.index({ a: layout.putJson(types.manifest, { schemaVersion: 2, config, layers }) });
  await refuses(t, 'CRFS_USAGE', /in-toto/, () => convert(`${from}:a`, to));
  layout.index({
    a: layout.putJson(types.manifest, { schemaVersion: 2, config, layers: [layout.put(types.layer, noise(9))] }),
  });
  await t.throwsAsync(convert(`${from}:a`, to), { instanceOf: CrfsError });
  await refuses(t, 'CRFS_BUSY', /no OCI layout/, () => convert(from, `oci:${directory}`));
  t.false(existsSync(join(directory, 'to')));
});
