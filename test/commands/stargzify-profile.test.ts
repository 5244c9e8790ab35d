// SPDX-License-Identifier: GPL-3.0-or-later

/** `crfs stargzify --profile`: the layers of an image in the order of a start that was recorded. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { CacheLayout } from '../../src/main/disk/cache-layout.js';
import { keepProfile, removeProfile } from '../../src/main/profile/kept.js';
import type { Profile } from '../../src/main/profile/profile.js';
import { pushTars } from '../tools/image.js';
import { Machine } from '../tools/machine.js';
import { readLayer } from '../tools/read-layer.js';
import { startRegistry } from '../tools/registry.js';
import { writeTar } from '../tools/tar-writer.js';
import { registryTest as test } from './setting.js';

interface World {
  readonly machine: Machine;
  readonly layout: CacheLayout;
  readonly url: string;
  readonly image: string;
  readonly profile: Profile;
}

/** An image of two layers, whose start has read some of the files of both, and what is kept of that. */
async function world(t: ExecutionContext): Promise<World> {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const tars = [
    ['a', 'b', 'c'],
    ['x', 'y', 'z'],
  ].map((names, n) => {
    const path = join(machine.directory('tars'), `${n}.tar`);
    writeTar(
      path,
      names.map((name) => ({ name, content: Buffer.from(name) })),
    );
    return path;
  });
  const image = `${registry.host}/img:1`;
  const { layers } = await pushTars(tars, image);
  const { resolved } = JSON.parse(await machine.crfs('inspect', image, '--json')) as { resolved: string };
  const order = [
    [1, 'z'],
    [0, 'c'],
    [1, 'x'],
  ].map(([layer, path], at) => ({ layer: Number(layer), path: String(path), first: 0, count: 1, bytes: 1, at }));
  const digest = resolved.slice(resolved.indexOf('sha256:'));
  const recorded = '2026-01-02T03:04:05.678Z';
  const profile = { image: digest, recorded, program: '/z', layers: layers.map((one) => one.digest), order };
  const layout = new CacheLayout(join(machine.root, 'cache/crfs-plugin'));
  keepProfile(layout, profile);
  return { machine, layout, url: registry.url, image, profile };
}

/** The files of each layer, in the order of the blob. */
async function orderOf({ machine, url }: World, tag: string): Promise<string[][]> {
  const accept = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = await (await fetch(`${url}/v2/img/manifests/${tag}`, { headers: { accept } })).json();
  const all: string[][] = [];
  for (const { digest } of (manifest as { layers: { digest: string }[] }).layers) {
    const path = join(machine.root, 'layer');
    writeFileSync(path, Buffer.from(await (await fetch(`${url}/v2/img/blobs/${digest}`)).arrayBuffer()));
    all.push(readLayer(path).entries.map(({ name }) => name));
  }
  return all;
}

test('files of a start come first in their layers: of a profile that is kept, of one that is attached, of a file', async (t) => {
  const there = await world(t);
  const { machine, layout, image, profile } = there;
  const expected = [
    ['c', '.prefetch.landmark', 'a', 'b'],
    ['z', 'x', '.prefetch.landmark', 'y'],
  ];
  await machine.crfs('stargzify', '--profile', image, image, `${image}-kept`);
  t.deepEqual(await orderOf(there, '1-kept'), expected);
  const file = join(machine.root, 'profile.json');
  writeFileSync(file, await machine.crfs('profile', 'show', image, '--json'));
  await machine.crfs('profile', 'push', image);
  removeProfile(layout, profile.image);
  await machine.crfs('stargzify', '--profile', image, image, `${image}-attached`);
  t.deepEqual(await orderOf(there, '1-attached'), expected);
  await machine.crfs('stargzify', '--profile', file, image, `${image}-file`);
  t.deepEqual(await orderOf(there, '1-file'), expected);
  t.regex(await machine.crfs('stargzify', '--profile', file, image, `${image}-file`), /made from .* before/);
  t.notRegex(await machine.crfs('stargzify', image, `${image}-file`), /before/);
});

test('what is no profile, and an image without one, are refused before anything is written', async (t) => {
  const { machine, layout, image, profile } = await world(t);
  const file = join(machine.root, 'profile.json');
  writeFileSync(file, '{"order":[["usr/bin"]]}');
  const list = join(machine.root, 'reg.yml');
  writeFileSync(list, 'version: 0.1');
  const refused: [string, RegExp][] = [
    [file, /profile\.json: \S+ must be .*: --profile takes a file with what `crfs profile show --json` prints\n?$/],
    [list, /reg\.yml: is not JSON: Unexpected token 'v', "version: 0\.1" *\.*: --profile takes a file with what /],
    ['nofile', /there is no file "nofile", and it names no registry/],
    [`${file}.none`, /cannot read .*profile\.json\.none: /],
    [image, /there is no profile of \S+, here or attached to it: `crfs profile record \S+` makes one/],
  ];
  removeProfile(layout, profile.image);
  for (const [given, message] of refused) {
    await t.throwsAsync(machine.crfs('stargzify', '--profile', given, image, `${image}-none`), { message });
  }
  await t.throwsAsync(machine.crfs('stargzify', '--profile', file, '--prioritize', file, image, `${image}-none`), {
    message: /cannot be used with option/,
  });
  await t.throwsAsync(machine.crfs('ls', `${image}-none`));
});
