// SPDX-License-Identifier: GPL-3.0-or-later

/** However a tar is compressed, and wherever it comes from, the layer is the same. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { CrfsError } from '../../src/main/errors/error.js';
import { zstd } from '../tools/compressed-stream.js';
import { noise } from '../tools/content.js';
import { crfs } from '../tools/machine.js';
import { sha256 } from '../tools/read-layer.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { checkImage, convertImageBetween } from './image-setting.js';
import { Layout, type Manifest, types } from './layout.js';
import { convert, scratch } from './setting.js';

/** A tar in each form that a layer may have. */
function forms(directory: string): ReadonlyMap<string, Buffer> {
  const path = join(directory, 'plain');
  writeTar(path, [
    { name: 'a', content: 'a' },
    { name: 'noise', content: noise(400_000) },
  ]);
  const tar = readFileSync(path);
  const half = Math.floor(tar.length / 2);
  return new Map([
    ['tar', tar],
    ['tar.gz', gzipSync(tar)],
    ['tar.gz of two members', Buffer.concat([gzipSync(tar.subarray(0, half)), gzipSync(tar.subarray(half))])],
    ['tar.zst', zstd(tar)],
    ['tar.zst of two frames', Buffer.concat([zstd(tar.subarray(0, half)), zstd(tar.subarray(half))])],
  ]);
}

test('a file makes the same layer, whatever it is compressed with', async (t) => {
  const directory = scratch(t);
  const digests = new Set<string>();
  for (const [form, bytes] of forms(directory)) {
    writeFileSync(join(directory, form), bytes);
    digests.add((await convert(join(directory, form), join(directory, 'layer'))).digest);
  }
  t.is(digests.size, 1);
});

test('standard input makes the same layer as a file, whatever it is compressed with', async (t) => {
  const directory = scratch(t);
  const inputs = forms(directory);
  const { digest } = await convert(join(directory, 'plain'), join(directory, 'layer'));
  for (const [form, stdin] of inputs) {
    const out = await run(crfs, ['stargzify', '--json', '-', join(directory, 'again')], { stdin });
    t.is((JSON.parse(out.toString()) as { digest: string }).digest, digest, form);
    t.is(sha256(readFileSync(join(directory, 'again'))), digest);
  }
});

test('a layer of an image that is compressed with zstd becomes one with gzip', async (t) => {
  const directory = scratch(t);
  const tar = forms(directory).get('tar') ?? Buffer.alloc(0);
  const from = new Layout(join(directory, 'from'));
  const layer = from.put('application/vnd.oci.image.layer.v1.tar+zstd', zstd(tar));
  const plain = from.image([]);
  const config = from.putJson(types.config, {
    ...from.config(from.read(plain.digest) as Manifest),
    rootfs: { type: 'layers', diff_ids: [sha256(tar)] },
  });
  from.index({ one: from.putJson(types.manifest, { schemaVersion: 2, config, layers: [layer] }) });
  const to = new Layout(join(directory, 'to'));
  await convertImageBetween(`oci:${from.directory}`, `oci:${to.directory}:it`);
  const manifest = to.manifest('it');
  t.is(manifest.layers[0]?.mediaType, types.layer);
  checkImage(t, to, manifest);
  const { digest } = await convert(join(directory, 'plain'), join(directory, 'layer'));
  t.is(manifest.layers[0]?.digest, digest);
});

test('zstd that is cut off or damaged is one error, and nothing is written', async (t) => {
  const directory = scratch(t);
  const good = forms(directory).get('tar.zst') ?? Buffer.alloc(0);
  const flipped = Buffer.from(good);
  flipped[good.length - 1000] = (good[good.length - 1000] ?? 0) ^ 1;
  for (const bad of [good.subarray(0, good.length / 2), flipped]) {
    const source = join(directory, 'bad');
    writeFileSync(source, bad);
    const error = await t.throwsAsync(convert(source, join(directory, 'layer')), { instanceOf: CrfsError });
    t.is((error as CrfsError | undefined)?.code, 'CRFS_BAD_LAYER');
    t.regex(error?.message ?? '', /zstd stream (ends too early|cannot be decoded)/);
  }
});
