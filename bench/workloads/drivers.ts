// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Workload 8: the kernel's overlay next to fuse-overlayfs, on the extracted tree and on a layer, with an upper directory as
 * containers have it: on the first mount of a layer, on later ones, and again on the same mount.
 */

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../test/tools/run.js';
import type { Bench } from '../bench.js';
import type { Debian } from '../data/data.js';
import { imageName, serveImages } from '../link/registry.js';
import { extracted, extractedByKernel, product, productByKernel } from '../machines/contenders.js';
import type { Machine } from '../machines/machine.js';
import type { Lower } from '../machines/mount-command.js';
import { warm } from '../page-cache.js';
import { MANY_LAYERS } from '../plan.js';
import { quantile } from '../samples.js';
import { programs } from '../starts/programs.js';

const SMALL = 4096;
const writable = { writable: true } as const;
const time = { workload: 8, metric: 'time', unit: 's' } as const;

/** Does something in a mount, and resolves to what is to be noted of it. */
type Work = (bench: Bench, merged: string) => Promise<number>;

const works = {
  'find -ls': (bench, merged) => bench.clock.time(['sh', '-c', 'exec find "$1" -ls >/dev/null', 'sh', merged]),
  // GNU tar does not read files that it is to write to /dev/null: hence the pipe
  'tar of everything': (bench, merged) =>
    bench.clock.time(['sh', '-c', 'tar -C "$1" -cf - . | cat >/dev/null', 'sh', merged]),
  'python3 -c print': (bench, merged) => bench.clock.time(['chroot', merged, ...programs['python3 -c print']]),
} as const satisfies Record<string, Work>;

export async function drivers(bench: Bench): Promise<void> {
  const { few, repetitions } = bench.plan;
  const debian = await bench.data.debian();
  const all = [extractedByKernel, productByKernel, extracted, product];
  const contenders = await bench.verified.sameBytes(bench, all, debian);
  await bench.inTurn(contenders, repetitions, (machine) => walk(bench, machine, debian));
  await bench.inTurn(contenders, repetitions, (machine) => readCold(bench, machine, debian));
  for (const what of ['tar of everything', 'python3 -c print'] as const) {
    await bench.inTurn(contenders, repetitions, async (machine) => {
      await fill(bench, machine, debian);
      await onMounts(bench, machine, debian, `${what}, warm`, works[what]);
    });
  }
  await bench.inTurn(contenders, repetitions, (machine) => readSmall(bench, machine, debian));
  await bench.inTurn(contenders, few, (machine) => {
    return mountTwice(bench, machine, debian, 'a Debian tree', 'etc/debian_version');
  });
  const ours = contenders.filter((contender) => contender.ours);
  const entries = bench.plan.entries.toLocaleString('en');
  const synthetic = await bench.data.synthetic(bench.plan.entries);
  await bench.inTurn(ours, few, (machine) => {
    return mountTwice(bench, machine, synthetic, `${entries} entries`, 'srv/package-0000/module-1.js');
  });
  const images = await serveImages({ one: [debian.path], many: await bench.data.parts(MANY_LAYERS) }, bench.undo);
  for (const tag of ['one', 'many'] as const) {
    const lower = { tree: '', layer: `docker://${imageName(`127.0.0.1:${images.port}`, tag)}` };
    const what = tag === 'one' ? 'an image of 1 layer' : `an image of ${MANY_LAYERS} layers`;
    await bench.inTurn(ours, few, (machine) => mountTwice(bench, machine, lower, what, 'etc/debian_version'));
  }
  await images.stop();
}

/** With nothing cached; what the mount itself reads is not counted. */
async function walk(bench: Bench, machine: Machine, debian: Debian): Promise<void> {
  await warm(machine.contender, [debian]);
  await onMounts(bench, machine, debian, 'find -ls', works['find -ls']);
}

async function readCold(bench: Bench, machine: Machine, debian: Debian): Promise<void> {
  await warm(machine.contender, [debian]);
  const { merged, unmount } = await machine.mount(debian, writable);
  const what = 'tar of everything, nothing cached';
  bench.record({ ...time, what }, machine.contender.name, await works['tar of everything'](bench, merged));
  await unmount();
}

/** Has all contents in the cache, by the other driver: for this one, the next mount of the layer is the first. */
async function fill(bench: Bench, machine: Machine, debian: Debian): Promise<void> {
  const { contender } = machine;
  await warm(contender, [debian]);
  if (!contender.ours) return;
  const by = contender === product ? productByKernel : product;
  const { merged, unmount } = await machine.mount(debian, { by });
  await works['tar of everything'](bench, merged);
  await unmount();
}

/** Does something on the first mount, there again, and on a later mount. */
async function onMounts(bench: Bench, machine: Machine, debian: Debian, what: string, work: Work): Promise<void> {
  const { name } = machine.contender;
  const first = await machine.mount(debian, writable);
  bench.record({ ...time, what: `${what}, first mount` }, name, await work(bench, first.merged));
  bench.record({ ...time, what: `${what}, again` }, name, await work(bench, first.merged));
  await first.unmount();
  const later = await machine.mount(debian, writable);
  bench.record({ ...time, what: `${what}, later mount` }, name, await work(bench, later.merged));
  await later.unmount();
}

/** Opens and reads all files of up to 4 KB, in the order of their names, on a later mount of what is in the cache. */
async function readSmall(bench: Bench, machine: Machine, debian: Debian): Promise<void> {
  const { name } = machine.contender;
  await fill(bench, machine, debian);
  const first = await machine.mount(debian, writable);
  await first.unmount();
  const { merged, unmount } = await machine.mount(debian, writable);
  const list = smallFiles(debian.tree).map((path) => `${merged}${path}\0`);
  for (const when of ['later mount', 'again']) {
    const output = await run(bench.native.reader, ['1'], { stdin: list.join('') });
    const [, ...nanoseconds] = String(output).trim().split('\n').map(Number);
    const question = { workload: 8, what: `open and read up to 4 KB, warm, ${when}`, unit: 'us' } as const;
    const p50 = quantile(nanoseconds, 0.5) / 1000;
    bench.record({ ...question, metric: 'first byte, p50' }, name, p50);
  }
  await unmount();
}

/** The paths, below a tree, of regular files that one read takes whole. */
function smallFiles(tree: string): string[] {
  return readdirSync(tree, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => statSync(path).size > 0 && statSync(path).size <= SMALL)
    .map((path) => path.slice(tree.length))
    .toSorted();
}

/** Mounts a second time, until a file is read. */
async function mountTwice(bench: Bench, machine: Machine, lower: Lower, what: string, reading: string): Promise<void> {
  if (!lower.layer.startsWith('docker:')) await warm(machine.contender, [lower]);
  const first = await machine.mount(lower, { ...writable, reading });
  await first.unmount();
  const second = await machine.mount(lower, { ...writable, reading });
  const question = { ...time, what: `second mount of ${what}, until a file is read` };
  bench.record(question, machine.contender.name, second.seconds);
  await second.unmount();
}
