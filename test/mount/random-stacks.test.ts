// SPDX-License-Identifier: GPL-3.0-or-later

/** Random layers over each other: both drivers show one tree, on a first mount and on a later one, and `crfs ls` lists it. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Facts } from '../../src/main/inspect/facts.js';
import { times } from '../faults/world.js';
import { pushTars } from '../tools/image.js';
import { byDriver, Machine, mountingTest, whyNoMounts } from '../tools/machine.js';
import { missing, startRegistry } from '../tools/registry.js';
import { type TarEntry, writeTar } from '../tools/tar-writer.js';
import { compareTrees, describeTree, type Tree } from '../tools/tree.js';

const test = mountingTest(whyNoMounts() ?? missing[0]);

type Draw = (below: number) => number;

/** xorshift32: the same numbers for the same seed. */
function drawFrom(seed: number): Draw {
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  return (below) => {
    for (const shift of [13, -17, 5]) state ^= shift > 0 ? state << shift : (state >>> 0) >>> -shift;
    return (state >>> 0) % below;
  };
}

const NAMES = ['a', 'b', 'c', 'd'];

function pathOf(draw: Draw): string {
  return Array.from({ length: 1 + draw(3) }, () => NAMES[draw(NAMES.length)]).join('/');
}

const mtime = 1_500_000_000;

/** Entries of a layer: files, directories, symlinks, hardlinks, and all that hides something in the layers below. */
function layerOf(draw: Draw, number: number): TarEntry[] {
  const entries = new Map<string, TarEntry>();
  const put = (name: string, entry: Omit<TarEntry, 'name'>): void => {
    if (!entries.has(name)) entries.set(name, { mtime: mtime + number, ...entry, name });
  };
  for (let count = 3 + draw(14); count > 0; count--) {
    const path = pathOf(draw);
    const parents = path.split('/').map((_, n, parts) => parts.slice(0, n).join('/'));
    if (parents.some((parent) => parent !== '' && (entries.get(parent)?.type ?? '5') !== '5')) continue;
    for (const parent of parents) if (parent !== '') put(parent, { type: '5', mode: 0o700 + draw(64) });
    const at = path.slice(0, path.lastIndexOf('/') + 1);
    const file = [...entries.keys()].find((name) => entries.get(name)?.content !== undefined);
    const kinds: readonly (() => void)[] = [
      () => put(path, { type: '0', content: `${path} of ${number}\n` }),
      () => put(path, { type: '5', mode: 0o700 + draw(64), xattrs: draw(2) === 0 ? { 'user.k': `${number}` } : {} }),
      () => put(path, { type: '2', linkname: NAMES[draw(NAMES.length)] ?? '' }),
      () => put(path, { type: '3', devmajor: 0, devminor: 0 }),
      () => put(path, file === undefined ? { type: '0' } : { type: '1', linkname: file }),
      () => put(path, { type: '5', mode: 0o755, xattrs: { 'trusted.overlay.opaque': 'y' } }),
      () => put(`${at}.wh.${path.slice(at.length)}`, { type: '0' }),
      () => put(`${at}.wh..wh..opq`, { type: '0' }),
    ];
    kinds[draw(kinds.length)]?.();
  }
  return [...entries].map(([name, entry]) => (entry.type === '5' ? { ...entry, name: `${name}/` } : entry));
}

/** A directory to lie below the layers. */
function plainOf(draw: Draw, directory: string): string {
  for (const name of NAMES) {
    if (draw(3) === 0) continue;
    const path = join(directory, name, NAMES[draw(NAMES.length)] ?? '');
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, NAMES[draw(NAMES.length)] ?? ''), 'plain\n');
  }
  return directory;
}

/** What a mount shows. One by the kernel's overlay has made by its end what a later one uses. */
async function shown(machine: Machine, lowers: readonly string[]): Promise<Tree> {
  const mount = await machine.mount(lowers, { foreground: machine.driver === 'overlay' });
  const tree = await describeTree(mount.merged);
  await mount.unmount();
  return tree;
}

async function compare(t: ExecutionContext, host: Machine, machine: Machine, place: string, seed: number) {
  const draw = drawFrom(seed);
  const tars = Array.from({ length: 1 + draw(4) }, (_, n) => join(machine.directory(`tars-${seed}`), `${n}.tar`));
  for (const [n, tar] of tars.entries()) writeTar(tar, layerOf(draw, n));
  const image = `${place}/image:${seed}`;
  await pushTars(tars, image);
  const below = draw(3) === 0 ? [plainOf(draw, machine.directory(`plain-${seed}`))] : [];
  const lowers = [`docker://${image}`, ...below];
  const expected = await shown(host, lowers);
  const same = (tree: Tree, what: string): void => {
    const differences = compareTrees(tree, expected, { ignoreMtimeOf: ['.'] });
    // of what hides some names of a file, each counts in its own way how many there are
    t.deepEqual(
      differences.filter((line) => !line.includes(': nlink is ')),
      [],
      `seed ${seed}, ${what}`,
    );
  };
  same(await shown(machine, lowers), 'first');
  same(await shown(machine, lowers), 'later');
  if (below.length > 0) return;
  const listed = JSON.parse(await machine.crfs('ls', '-R', '--json', `docker://${image}`)) as Facts[];
  t.deepEqual(
    listed.map(({ path }) => path).sort(),
    [...expected.keys()]
      .filter((path) => path !== '.')
      .map((path) => `/${path}`)
      .sort(),
    `seed ${seed}, listed`,
  );
}

test('random layers over each other are one tree, whoever shows it', async (t) => {
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const host = new Machine();
  t.teardown(() => host.dispose());
  await byDriver('overlay', async () => {
    const machine = new Machine();
    t.teardown(() => machine.dispose());
    for (let seed = 1; seed <= times(5, 200); seed++) await compare(t, host, machine, registry.host, seed);
  })(t);
});
