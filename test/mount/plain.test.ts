// SPDX-License-Identifier: GPL-3.0-or-later

/** Layers as every builder writes them, unconverted: in gzip, with no TOC. */

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { ExecutionContext } from 'ava';
import { gzip, zstd } from '../tools/compressed-stream.js';
import { noise, text } from '../tools/content.js';
import { extractTar } from '../tools/extract.js';
import { debian } from '../tools/layers.js';
import { anyDriver, Machine, whyNoMounts } from '../tools/machine.js';
import { namedTwice, nastyLayer } from '../tools/nasty-layer.js';
import { sha256 } from '../tools/read-layer.js';
import { missing, startRegistry } from '../tools/registry.js';
import { blobOf, pushImage } from '../tools/registry-image.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { compareTrees, describeTree } from '../tools/tree.js';
import { layoutOf } from '../tools/zstd-chunked.js';

const shared = anyDriver();
const registryShared = anyDriver(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

const MIB = 1 << 20;

function makeMachine(t: ExecutionContext, settings: Record<string, string> = {}): Machine {
  const machine = new Machine(settings);
  t.teardown(() => machine.dispose());
  return machine;
}

/** A blob in a file. */
function layerFile(machine: Machine, blob: Buffer): string {
  const path = join(machine.directory('layers'), 'layer.tar.gz');
  writeFileSync(path, blob);
  return path;
}

/** The contents of files that are in the cache. */
function objectsOf(machine: Machine): string[] {
  const names = readdirSync(machine.objects, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.includes('/')).map((name) => join(machine.objects, name));
}

shared('a nasty tar in gzip, in zstd and as it is reads as GNU tar extracts it', async (t) => {
  const { tar, tree, timeless } = await nastyLayer();
  const bytes = readFileSync(tar);
  const half = Math.floor(bytes.length / 2);
  const halves = [bytes.subarray(0, half), bytes.subarray(half)];
  const parts = Array.from({ length: Math.ceil(bytes.length / MIB) }, (_, n) => bytes.subarray(n * MIB, (n + 1) * MIB));
  for (const [kind, blob] of [
    ['plain gzip', gzip(bytes, '-1')],
    ['plain gzip', Buffer.concat(halves.map((part) => gzip(part)))],
    ['plain zstd', Buffer.concat(parts.map((part) => zstd(part)))],
    ['plain zstd', zstd(bytes, '-19')],
    ['plain tar', bytes],
  ] as const) {
    const machine = makeMachine(t);
    const mount = await machine.mount([layerFile(machine, blob)]);
    const shown = await describeTree(mount.merged, { readers: 16 });
    t.deepEqual(compareTrees(shown, tree, { ignoreMtimeOf: timeless }), namedTwice);
    const { layers = [] } = (await machine.status()) ?? {};
    t.is(layers[0]?.kind, kind);
    await mount.unmount();
  }
});

shared('a Debian root file system in gzip reads as GNU tar extracts it', async (t) => {
  const { tar } = await debian();
  const machine = makeMachine(t);
  const expected = machine.directory('expected');
  await extractTar(tar, expected);
  const layer = join(machine.directory('layers'), 'debian.tar.gz');
  await run('sh', ['-c', 'gzip -1 <"$1" >"$2"', 'sh', tar, layer]);
  const { merged } = await machine.mount([layer]);
  const shown = await describeTree(merged, { readers: 16 });
  t.true(shown.size > 1000);
  t.deepEqual(compareTrees(shown, await describeTree(expected)), []);
});

shared('a layer of one frame of zstd is in the cache once it was read, and can be decoded again', async (t) => {
  const machine = makeMachine(t, { CRFS_READAHEAD: '0' });
  const tar = join(machine.directory('tars'), 'a.tar');
  const contents = Array.from({ length: 12 }, (_, n) => noise((n + 1) * 200_000, n));
  const large = noise(9 * MIB);
  writeTar(tar, [...contents.map((content, n) => ({ name: String(n), content })), { name: 'large', content: large }]);
  const { merged } = await machine.mount([layerFile(machine, zstd(readFileSync(tar)))]);
  t.is(objectsOf(machine).length, contents.length + 1);
  t.true(large.equals(await readFile(join(merged, 'large'))));
  t.is((await machine.status())?.counters.inflatedBytes, 0, 'nothing was decoded for it');
  for (const path of objectsOf(machine)) rmSync(path);
  for (const n of [11, 3, 4, 0, 7]) t.true(contents[n]?.equals(await readFile(join(merged, String(n)))), `file ${n}`);
});

registryShared(
  'plain layers of an image are mounted, pinned by the digests of its manifest, and lazy from then on',
  async (t) => {
    const machine = makeMachine(t);
    const registry = await startRegistry({ root: machine.directory('registry') });
    t.teardown(() => registry.stop());
    const tars = machine.directory('tars');
    const large = Buffer.concat([noise(6 * MIB), text(5 * MIB)]);
    writeTar(join(tars, 'a.tar'), [
      { name: 'large', content: large },
      { name: 'small', content: 'a word' },
    ]);
    writeTar(join(tars, 'b.tar'), [{ name: 'small', content: 'another' }]);
    const [a, b] = ['a', 'b'].map((name) => readFileSync(join(tars, `${name}.tar`))) as [Buffer, Buffer];
    const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
    const rootfs = { type: 'layers', diff_ids: [sha256(a), sha256(b)] };
    const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs }));
    const layers = [blobOf(LAYER, gzip(a, '-9')), blobOf(LAYER, gzipSync(b, { level: 0 }))];
    await pushImage(
      { layers, config: blobOf('application/vnd.oci.image.config.v1+json', config) },
      `${registry.host}/plain:1`,
    );
    const image = `docker://${registry.host}/plain:1`;
    const first = await machine.mount([image]);
    t.is(await readFile(join(first.merged, 'small'), 'utf8'), 'another');
    t.true(large.equals(await readFile(join(first.merged, 'large'))));
    const { layers: found = [] } = (await machine.status()) ?? {};
    t.deepEqual([...new Set(found.map(({ kind }) => kind))], ['plain gzip']);
    t.deepEqual([...new Set(found.map(({ verified }) => verified))], ['the digests of its manifest']);
    await first.unmount();
    const again = await machine.mount([image]);
    t.true(large.equals(await readFile(join(again.merged, 'large'))));
  },
);

shared('what is no tar, and what is damaged, is refused in a line', async (t) => {
  const machine = makeMachine(t);
  const tar = join(machine.directory('tars'), 'a.tar');
  writeTar(tar, [{ name: 'a', content: text(100_000) }]);
  const sound = gzip(readFileSync(tar));
  for (const [blob, why] of [
    [gzip(noise(10_000)), /a tar/],
    [sound.subarray(0, -20), /its gzip stream ends too early/],
    [Buffer.concat([sound.subarray(0, -6), noise(6)]), /its gzip stream cannot be decoded/],
  ] as const) {
    const error = await t.throwsAsync(machine.mount([layerFile(machine, blob)]));
    t.regex(error.message, why);
  }
});

shared('a sound layer that is not the one of its manifest is refused', async (t, driver) => {
  const machine = makeMachine(t);
  const tars = machine.directory('tars');
  const [right, wrong] = ['right', 'wrong'].map((content) => {
    const tar = join(tars, `${content}.tar`);
    writeTar(tar, [{ name: 'a', content }]);
    return gzip(readFileSync(tar));
  }) as [Buffer, Buffer];
  const layout = join(machine.directory('layouts'), 'image');
  layoutOf(layout, [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', bytes: right, diffId: sha256(right) }]);
  const merged = machine.directory('merged');
  t.teardown(() => run('umount', ['-q', merged]).catch(() => undefined));
  const mount = async (): Promise<string> => await machine.crfs('mount', '--driver', driver, `oci:${layout}:1`, merged);
  await mount();
  t.is(await readFile(join(merged, 'a'), 'utf8'), 'right');
  await machine.crfs('umount', merged);
  const blob = join(layout, 'blobs', sha256(right).replace(':', '/'));
  rmSync(blob);
  writeFileSync(blob, wrong);
  const error = await t.throwsAsync(mount);
  t.regex(error.message, /it has other bytes than the manifest says: sha256 /);
});

shared('a layer without a TOC is refused where that is wanted', async (t) => {
  const machine = makeMachine(t, { CRFS_LAZY: 'require' });
  const tar = join(machine.directory('tars'), 'a.tar');
  writeTar(tar, [{ name: 'a', content: 'content' }]);
  const error = await t.throwsAsync(machine.mount([layerFile(machine, gzip(readFileSync(tar)))]));
  t.regex(error.message, /crfs stargzify/);
});
