// SPDX-License-Identifier: GPL-3.0-or-later

/** Stubs of layers: made after the first mount, used by later ones, which show the same tree. */

import { createHash } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { Finding } from '../../src/main/doctor/check.js';
import { cc, SHIM } from '../tools/cc.js';
import { imageOf } from '../tools/image.js';
import { makeLayer, partOfDebian } from '../tools/layers.js';
import { Machine, mountingTest, crfs as program, until } from '../tools/machine.js';
import { namedTwice, nastyLayer } from '../tools/nasty-layer.js';
import { missing, startRegistry } from '../tools/registry.js';
import { pushImage } from '../tools/registry-image.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { compareTrees, describeTree, type Tree } from '../tools/tree.js';
import { writeWhiteoutTars } from '../tools/whiteout-tars.js';

const mounting = mountingTest();
const withRegistry = missing.length === 0 ? mounting : test.skip;

/** A place to mount at with the kernel's overlay, again and again. */
class Place {
  readonly machine: Machine;
  readonly merged: string;

  constructor(settings: Record<string, string> = {}) {
    this.machine = new Machine(settings);
    this.merged = this.machine.directory('merged');
  }

  get stubs(): string {
    return join(this.machine.root, 'cache/crfs-plugin/v4/stubs');
  }

  /** Names of stubs that are done. */
  get made(): string[] {
    return readdirSync(this.stubs).filter((name) => !/^(new|gone)-/.test(name));
  }

  async mount(configuration: string, ...options: string[]): Promise<void> {
    await this.machine.crfs('mount', '--driver', 'overlay', ...options, configuration, this.merged);
  }

  /** Whether the kernel reads published content by itself. */
  usesStubs(): boolean {
    const line = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .find((one) => one.split(' ')[4] === this.merged);
    return line?.includes('datadir+=') ?? false;
  }

  /** Unmounts, and waits until the server has ended: it may make stubs until then. */
  async unmount(): Promise<void> {
    await run('umount', [this.merged]);
    await until('the server has ended', () => this.server() === undefined);
  }

  server(): number | undefined {
    const pid = readdirSync('/proc').find((name) => {
      if (!/^\d+$/.test(name)) return false;
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'latin1').split('\0').at(-2) === this.merged;
      } catch {
        return false; // it has ended
      }
    });
    return pid === undefined ? undefined : Number(pid);
  }

  async dispose(): Promise<void> {
    await run('umount', ['-l', this.merged]).catch(() => undefined);
    await this.machine.dispose();
  }
}

/** A layer of one file. */
async function smallLayer({ machine }: Place): Promise<string> {
  const tar = join(machine.root, 'small.tar');
  writeTar(tar, [{ name: 'file', content: 'content' }]);
  return await makeLayer(tar);
}

/** What the first mount shows, and a later one by stubs. */
async function showTwice(place: Place, configuration: string): Promise<{ first: Tree; later: Tree; byStubs: boolean }> {
  await place.mount(configuration);
  const first = await describeTree(place.merged);
  await place.unmount();
  await place.mount(configuration);
  const byStubs = place.usesStubs();
  const later = await describeTree(place.merged);
  await place.unmount();
  return { first, later, byStubs };
}

mounting('a later mount shows what GNU tar extracts, whether its layer can have stubs or not', async (t) => {
  const place = new Place();
  t.teardown(() => place.dispose());
  const { layer, tree, timeless } = await nastyLayer();
  const { first, later } = await showTwice(place, layer);
  for (const shown of [first, later]) {
    const differences = compareTrees(shown, tree, { ignoreMtimeOf: timeless });
    t.deepEqual(
      differences.filter((line) => !namedTwice.includes(line)),
      [],
    );
  }
  t.is(place.made.length, 1);
});

mounting(
  'of a part of a Debian, a later mount reads published content without its server, and the rest by it',
  async (t) => {
    const place = new Place();
    t.teardown(() => place.dispose());
    const { tar } = await partOfDebian(place.machine.root);
    const layer = await makeLayer(tar);
    const { first, later, byStubs } = await showTwice(place, layer);
    t.true(byStubs);
    t.deepEqual(compareTrees(later, first), []);
    await place.mount(layer);
    const server = place.server();
    t.not(server, undefined);
    process.kill(Number(server), 'SIGSTOP');
    t.teardown(() => process.kill(Number(server), 'SIGKILL'));
    t.regex(readFileSync(join(place.merged, 'etc/os-release'), 'utf8'), /Debian/);
    process.kill(Number(server), 'SIGCONT');
    rmSync(place.machine.objects, { recursive: true });
    mkdirSync(place.machine.objects);
    t.deepEqual(compareTrees(await describeTree(place.merged), first), []);
  },
);

withRegistry('layers over each other, with whiteouts and opaque directories, have stubs as one', async (t) => {
  const place = new Place();
  t.teardown(() => place.dispose());
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const { lower, upper } = writeWhiteoutTars(place.machine.directory('tars'));
  const target = `${registry.host}/whiteouts:1`;
  await pushImage(await imageOf([lower, upper, lower]), target);
  const { first, later, byStubs } = await showTwice(place, `docker://${target}`);
  t.true(byStubs);
  t.deepEqual(compareTrees(later, first), []);
  const host = await place.machine.mount([`docker://${target}`]);
  t.deepEqual(compareTrees(later, await describeTree(host.merged)), []);
});

mounting('stubs that are not of these layers, or were not finished, are not used', async (t) => {
  const place = new Place();
  t.teardown(() => place.dispose());
  const layer = await smallLayer(place);
  await showTwice(place, layer);
  const [name = ''] = place.made;
  writeFileSync(join(place.stubs, name, 'of'), 'others\n');
  await place.mount(layer);
  t.false(place.usesStubs());
  t.is(readFileSync(join(place.merged, 'file'), 'utf8'), 'content');
  await place.unmount();
  renameSync(join(place.stubs, name), join(place.stubs, `new-${name}`));
  const { byStubs } = await showTwice(place, layer);
  t.true(byStubs);
  t.deepEqual(readdirSync(place.stubs), [name]);
});

mounting(
  'objects of another size than their files are removed once there is a mount, and those files read anew',
  async (t) => {
    const place = new Place();
    t.teardown(() => place.dispose());
    const tar = join(place.machine.root, 'files.tar');
    const names = ['short', 'long', 'missing', 'whole'];
    writeTar(
      tar,
      names.map((name) => ({ name, content: `content of ${name}` })),
    );
    const layer = await makeLayer(tar);
    await showTwice(place, layer);
    const [short = '', long = '', missed = '', whole = ''] = names.map((name) => {
      const digest = createHash('sha256').update(`content of ${name}`).digest('hex');
      return join(place.machine.objects, digest.slice(0, 2), digest);
    });
    truncateSync(short, 7);
    appendFileSync(long, ', and more');
    rmSync(missed);
    const { ino } = statSync(whole);

    await place.mount(layer);

    t.true(place.usesStubs());
    await until('both were removed', () => !existsSync(short) && !existsSync(long));
    for (const name of names) t.is(readFileSync(join(place.merged, name), 'utf8'), `content of ${name}`);
    t.is(statSync(short).size, 'content of short'.length);
    t.is(statSync(whole).ino, ino);
  },
);

mounting('what a mount has changed can be mounted again once it has gone, though stubs are still made', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'crfs-held-'));
  t.teardown(() => rmSync(directory, { recursive: true })); // which lets it go on, too
  const [shim, held] = [join(directory, 'held.so'), join(directory, 'held')];
  await cc('test/mount/held.c', shim, SHIM);
  const place = new Place({ LD_PRELOAD: shim, HELD: held });
  t.teardown(() => place.dispose());
  const layer = await smallLayer(place);
  const changes = ['--upper', place.machine.directory('upper'), '--work', place.machine.directory('work')];
  await place.mount(layer, ...changes);
  writeFileSync(join(place.merged, 'new'), 'new');
  await place.machine.crfs('umount', place.merged);
  await until('stubs are being made', () => existsSync(held));

  await place.mount(layer, ...changes);

  t.is(readFileSync(join(place.merged, 'new'), 'utf8'), 'new');
  t.deepEqual(place.made, []);
  renameSync(held, `${held}.over`);
  await place.unmount();
});

mounting('a later mount whose cache was removed, so that it lacks names, is told of', async (t) => {
  const place = new Place();
  t.teardown(() => place.dispose());
  const layer = await smallLayer(place);
  const { byStubs } = await showTwice(place, layer);
  await place.mount(layer);
  const crfs = (...args: string[]): Promise<string> => place.machine.crfs(...args);
  const doctor = async (): Promise<Finding[]> => {
    const command = ['-c', '"$0" doctor --json || true', program];
    return JSON.parse(String(await run('sh', command, { env: place.machine.env }))) as Finding[];
  };
  const findings = async (): Promise<Finding[]> => (await doctor()).filter(({ name }) => name === 'mount');
  t.false((await crfs('status')).includes('cache was removed'));
  t.deepEqual(await findings(), []);
  await crfs('stop');
  rmSync(join(place.machine.root, 'cache/crfs-plugin'), { recursive: true });
  if (!byStubs) {
    t.is(readFileSync(join(place.merged, 'file'), 'utf8'), 'content');
    return;
  }
  const what = 'its cache was removed: unmount it, and mount it again';
  t.true((await crfs('status')).includes(`\nNames are missing: ${what}:\nMOUNTPOINT`));
  await t.throwsAsync(crfs('trace', place.merged), { message: new RegExp(`crfs: ${place.merged}: ${what}$`) });
  const says = `${place.merged}: names are missing, since its cache was removed`;
  t.deepEqual(await findings(), [{ name: 'mount', state: 'bad', says, advice: 'unmount it, and mount it again' }]);
  await place.unmount();
  await place.mount(layer);
  t.is(readFileSync(join(place.merged, 'file'), 'utf8'), 'content');
  t.false((await crfs('status')).includes('cache was removed'));
});

mounting('a cache that is trimmed keeps stubs that a mount uses, and counts them', async (t) => {
  const place = new Place();
  t.teardown(() => place.dispose());
  const layer = await smallLayer(place);
  await showTwice(place, layer);
  await place.mount(layer);
  await place.machine.crfs('cache', 'clear');
  t.is(place.made.length, 1);
  t.is(readFileSync(join(place.merged, 'file'), 'utf8'), 'content');
  const usage = JSON.parse(await place.machine.crfs('cache', 'du', '--json')) as { stubs: { bytes: number } };
  t.not(usage.stubs.bytes, 0);
  await place.unmount();
  await place.machine.crfs('cache', 'clear');
  t.deepEqual(place.made, []);
});
