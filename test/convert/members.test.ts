// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import type { LayerResult } from '../../src/main/convert/layer.js';
import { engineNames } from '../../src/workers/engine-names.js';
import { noise, text } from '../tools/content.js';
import { writeNastyTar } from '../tools/nasty-tar.js';
import { checkChunks, gunzipLayer, type Layer, readLayer, sha256 } from '../tools/read-layer.js';
import { tarEnd, tarEntry, writeTar } from '../tools/tar-writer.js';
import { convert as convertWith, scratch } from './setting.js';

type Options = Parameters<typeof convertWith>[2];

interface Made extends Layer {
  readonly result: LayerResult;
}

const place = mkdtempSync(join(tmpdir(), 'crfs-members-'));
test.after.always(() => rmSync(place, { recursive: true }));
const { path: nastyTar } = writeNastyTar(place);
const made = new Map<string, Promise<Made>>();

/** The layer of the nasty tar by these options, made once for all tests. */
async function nasty(t: ExecutionContext, options: Options = {}): Promise<Made> {
  const key = JSON.stringify(options);
  const layer = made.get(key) ?? makeNasty(t, join(place, `layer-${made.size}`), options);
  made.set(key, layer);
  return await layer;
}

async function makeNasty(t: ExecutionContext, path: string, options: Options): Promise<Made> {
  const result = await convertWith(nastyTar, path, options);
  const layer = readLayer(path);
  t.is(sha256(layer.blob), result.digest);
  t.is(layer.blob.length, result.size);
  t.is(layer.tocDigest, result.tocDigest);
  const inflated = gunzipLayer(layer);
  t.is(sha256(inflated), result.diffId);
  t.is(inflated.length, result.uncompressedSize);
  return { ...layer, result };
}

test('every chunk inflates from its own member, and every digest is right', async (t) => {
  const layer = await nasty(t);
  t.deepEqual(checkChunks(layer), []);
  t.true(layer.entries.every(({ innerOffset }) => innerOffset === undefined));
});

test('a chunk size divides files, and the last chunk has no size of its own', async (t) => {
  const layer = await nasty(t, { chunkSize: 1_000_000 });
  t.deepEqual(checkChunks(layer), []);
  const at = layer.entries.findIndex(({ name }) => name === 'sizes/4194304');
  const chunks = layer.entries.slice(at, at + 5);
  t.deepEqual(
    chunks.map(({ type, chunkOffset, chunkSize }) => [type, chunkOffset, chunkSize]),
    [
      ['reg', undefined, 1_000_000],
      ['chunk', 1_000_000, 1_000_000],
      ['chunk', 2_000_000, 1_000_000],
      ['chunk', 3_000_000, 1_000_000],
      ['chunk', 4_000_000, undefined],
    ],
  );
});

test('with a minimum chunk size small files share members', async (t) => {
  const [shared, alone] = [await nasty(t, { minChunkSize: 65536 }), await nasty(t)];
  t.deepEqual(checkChunks(shared), []);
  t.true(shared.entries.some(({ innerOffset }) => (innerOffset ?? 0) > 0));
  t.true(shared.blob.length < alone.blob.length);
  const landmark = shared.entries.find(({ name }) => name === '.no.prefetch.landmark');
  const others = shared.entries.filter(({ name, offset }) => name !== landmark?.name && offset === landmark?.offset);
  t.is(landmark?.innerOffset, undefined);
  t.deepEqual(others, []);
});

for (const engine of engineNames) {
  test(`members of ${engine} inflate to the same tar`, async (t) => {
    const layer = await nasty(t, { engine });
    const reference = await nasty(t);
    t.deepEqual(checkChunks(layer), []);
    const content = ({ blob, tocOffset }: Layer): Buffer =>
      gunzipLayer({ ...reference, blob: blob.subarray(0, tocOffset) });
    t.true(content(layer).equals(content(reference)));
  });
}

for (const engine of engineNames) {
  test(`no member of ${engine} tells of the system that made it`, async (t) => {
    const { blob, entries, tocOffset } = await nasty(t, { engine });
    const starts = new Set([...entries.flatMap(({ offset }) => (offset === undefined ? [] : [offset])), 0, tocOffset]);
    t.true(starts.size > 10);
    t.deepEqual([...new Set([...starts].map((start) => blob[start + 9]))], [255]); // "unknown", RFC 1952
  });
}

test('a sparse file of 60 parts keeps them all, as GNU tar writes it', async (t) => {
  const directory = scratch(t);
  const [tar, part] = [join(directory, 'tar'), noise(512)];
  const size = 60 * 2048;
  const map = [...Array.from({ length: 60 }, (_, i) => [i * 2048, 512] as const), [size, 0] as const];
  const content = Buffer.concat(Array.from({ length: 60 }, () => part));
  const expected = Buffer.concat(Array.from({ length: 60 }, () => Buffer.concat([part, Buffer.alloc(1536)])));
  for (const form of ['gnu', 'pax'] as const) {
    writeFileSync(tar, Buffer.concat([tarEntry({ name: 'sparse', content, sparse: { size, map } }, form), tarEnd]));
    await convertWith(tar, join(directory, 'layer'));
    const layer = readLayer(join(directory, 'layer'));
    t.is(layer.entries.find(({ name }) => name === 'sparse')?.digest, sha256(expected));
    t.deepEqual(checkChunks(layer), []);
  }
});

test('the blob is the same with one worker and with four', async (t) => {
  const options = { minChunkSize: 5000 };
  const one = await nasty(t, { ...options, workers: 1 });
  const four = await nasty(t, { ...options, workers: 4 });
  t.deepEqual(one.result, four.result);
});

test('the blob is the same however the tar is compressed', async (t) => {
  const bytes = readFileSync(nastyTar);
  const gz = join(place, 'nasty.tar.gz');
  const middle = Math.floor(bytes.length / 2);
  const halves = [bytes.subarray(0, middle), bytes.subarray(middle)];
  writeFileSync(gz, Buffer.concat(halves.map((half) => gzipSync(half, { level: 1 }))));
  const gzipped = await convertWith(gz, join(place, 'gzipped'));
  t.deepEqual(gzipped, (await nasty(t)).result);
});

test('a layer is converted anew from its own tar: landmark and TOC are not there twice', async (t) => {
  const first = await convertWith(nastyTar, join(place, 'first'), { prioritize: ['twice'] });
  const again = await convertWith(join(place, 'first'), join(place, 'second'), { prioritize: ['twice'] });
  t.is(again.entries, first.entries);
  const names = readLayer(join(place, 'second')).entries.map(({ name }) => name);
  t.is(names.filter((name) => name.includes('landmark') || name.includes('stargz')).length, 1);
});

test('headers without end between two files are cut into members too', async (t) => {
  const directory = scratch(t);
  const tar = join(directory, 'links.tar');
  const links = Array.from({ length: 5000 }, (_, index) => ({ name: `link-${index}`, type: '2', linkname: 'x' }));
  writeTar(tar, [{ name: 'first', content: text(100) }, ...links, { name: 'last', content: noise(100) }]);
  await convertWith(tar, join(directory, 'layer'));
  const layer = readLayer(join(directory, 'layer'));
  t.is(layer.entries.length, 5003);
  t.deepEqual(checkChunks(layer), []);
});
