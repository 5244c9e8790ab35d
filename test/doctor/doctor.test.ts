// SPDX-License-Identifier: GPL-3.0-or-later

import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Finding } from '../../src/main/doctor/check.js';
import { argumentsOf, processes } from '../../src/main/mount/processes.js';
import { imageOf, invoke, makeMachine, registryTest, SMALL } from '../commands/setting.js';
import { crfs, type Machine, mountingTest, until } from '../tools/machine.js';
import { makeImage, pushImage } from '../tools/registry-image.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';

/** A machine whose podman is a script that prints what `podman info` would, and notes what it is asked; unless it is new, it has run before. */
function withPodman(t: ExecutionContext, { driver = 'overlay', script = '', isNew = false } = {}): Machine {
  const machine = makeMachine(t);
  const info = {
    version: { Version: '5.4.0' },
    host: { security: { rootless: false } },
    store: { graphDriverName: driver, graphRoot: '/g', runRoot: '/r', graphOptions: {} },
  };
  const path = join(machine.directory('fake'), 'podman');
  writeFileSync(path, `#!/bin/sh\necho "$@" >>${machine.root}/asked\n${script || `echo '${JSON.stringify(info)}'`}\n`);
  chmodSync(path, 0o755);
  machine.env['PATH'] = `${join(machine.root, 'fake')}:${process.env['PATH']}`;
  machine.env['CONTAINERS_STORAGE_CONF'] = join(machine.root, 'storage.conf');
  configure(machine, []);
  if (!isNew) mkdirSync(join(machine.root, 'graph/libpod'), { recursive: true });
  return machine;
}

/** Has storage.conf name these stores. */
function configure(machine: Machine, stores: readonly string[], driver = 'overlay'): void {
  const storage = `[storage]\ndriver = "${driver}"\ngraphroot = "${machine.root}/graph"\n`;
  const names = JSON.stringify(stores.map((store) => `${store}:ref`));
  const text = `${storage}[storage.options]\nadditionallayerstores = ${names}\n`;
  writeFileSync(join(machine.root, 'storage.conf'), text);
}

async function examine(machine: Machine, ...args: string[]): Promise<{ found: Finding[]; code: number | null }> {
  const { code, stdout } = await invoke(machine, ['doctor', '--json', ...args]);
  return { found: JSON.parse(stdout) as Finding[], code };
}

const of = (found: readonly Finding[], name: string): Finding[] => found.filter((one) => one.name === name);

test('a machine without podman is told as it is, a line each', async (t) => {
  const machine = withPodman(t, { script: 'exit 1' });
  machine.env['PATH'] = process.env['PATH']
    ?.split(':')
    .filter((path) => !/^\/(usr\/)?bin$/.test(path))
    .join(':');
  const bin = machine.directory('bin');
  for (const name of ['mountpoint', 'node', 'readlink', 'sh', 'stat', 'timeout'])
    await run('sh', ['-c', `ln -s "$(command -v ${name})" ${bin}/`]);
  machine.env['PATH'] = bin;
  const { stdout, stderr, code } = await invoke(machine, ['doctor']);
  t.is(stderr, '');
  t.regex(stdout, /^-- {3}podman {10}podman is not installed\n {21}install podman/m);
  t.regex(stdout, /^-- {3}fuse-overlayfs {2}fuse-overlayfs is not installed/m);
  t.regex(stdout, /^ok {3}cache {11}0 B of /m);
  t.regex(stdout, /^ok {3}daemon {10}none runs: a mount starts one$/m);
  t.is(code, /^bad/m.test(stdout) ? 1 : 0);
});

test('the way from podman to the store is looked at link by link', async (t) => {
  const machine = withPodman(t);
  const before = await examine(machine);
  t.like(of(before.found, 'podman')[0], { state: 'ok', says: '5.4.0, keeps layers by overlay' });
  t.like(of(before.found, 'storage.conf')[0], { state: 'note', advice: 'crfs setup podman' });
  t.deepEqual(of(before.found, 'store'), []);
  configure(machine, ['/nowhere', machine.directory('store')]);
  const { found, code } = await examine(machine);
  t.is(code, 1);
  t.like(of(found, 'storage.conf')[0], { state: 'ok', says: `names the store /nowhere and ${machine.root}/store` });
  t.deepEqual(of(found, 'store'), [
    {
      name: 'store',
      state: 'bad',
      says: 'there is no /nowhere: then podman fails',
      advice: 'mkdir -p /nowhere; crfs store /nowhere',
    },
    {
      name: 'store',
      state: 'bad',
      says: `nothing is mounted at ${machine.root}/store: podman pulls as ever`,
      advice: `crfs store ${machine.root}/store`,
    },
  ]);
});

test('images that lead into a store that is not mounted cannot be started', async (t) => {
  const machine = withPodman(t);
  const [store, graph] = ['store', 'graph'].map((name) => join(machine.root, name)) as [string, string];
  mkdirSync(store);
  for (const name of ['overlay/base', 'overlay-layers', 'overlay-images'])
    mkdirSync(join(graph, name), { recursive: true });
  symlinkSync(`${store}/aW1n/sha256:1/diff`, join(graph, 'overlay/base/diff'));
  writeFileSync(join(graph, 'overlay-layers/layers.json'), '[{"id":"base"},{"id":"top","parent":"base"}]');
  writeFileSync(join(graph, 'overlay-images/images.json'), '[{"id":"i","names":["localhost/img:1"],"layer":"top"}]');
  for (const named of [[], [store]]) {
    configure(machine, named);
    t.deepEqual(of((await examine(machine)).found, 'store'), [
      {
        name: 'store',
        state: 'bad',
        says: `nothing is mounted at ${store}: localhost/img:1 cannot be started`,
        advice: `crfs store ${store}`,
      },
    ]);
  }
});

test('a podman that never ran is not made to choose how it keeps layers', async (t) => {
  const machine = withPodman(t, { script: 'echo podman version 5.4.0', isNew: true });
  const { found } = await examine(machine);
  const says = `5.4.0, which has not run yet: by overlay, as ${machine.root}/storage.conf says`;
  t.like(of(found, 'podman')[0], { state: 'ok', says });
  configure(machine, [], 'vfs');
  const told = (await examine(machine)).found;
  t.regex(
    of(told, 'podman')[0]?.advice ?? '',
    /^first driver = "overlay" there, below \[storage\]; then crfs setup podman/,
  );
  t.is(of(told, 'storage.conf')[0]?.advice, null); // it would be refused
  t.is(readFileSync(join(machine.root, 'asked'), 'utf8'), '--version\n--version\n');
  t.false(existsSync(join(machine.root, 'graph')));
});

mountingTest()('a store that was mounted by hand answers, or its mount is told to be dead', async (t) => {
  const machine = withPodman(t);
  const store = machine.directory('store');
  configure(machine, [store]);
  await machine.crfs('store', store);
  t.teardown(() => run('umount', ['-l', store]).catch(() => undefined));
  t.like(of((await examine(machine)).found, 'store')[0], { state: 'ok', says: `${store} answers` });
  const servers = processes().filter((one) => argumentsOf(one.pid).at(-1) === store);
  for (const { pid } of servers) process.kill(pid, 'SIGKILL');
  await until(
    'nobody serves it', // which its attributes do not show: the kernel keeps them
    async () => (await readdir(store).catch(({ code }) => code as string)) === 'ENOTCONN',
  );
  t.like(of((await examine(machine)).found, 'store')[0], {
    state: 'bad',
    says: `what served ${store} was killed`,
    advice: `crfs umount ${store}; crfs store ${store}`,
  });
  t.is((await examine(machine)).code, 1);
});

test('a storage.conf that makes no sense is told, and all else is looked at', async (t) => {
  const machine = withPodman(t);
  writeFileSync(join(machine.root, 'storage.conf'), '[storage\n');
  const { found, code } = await examine(machine);
  t.is(code, 1);
  t.like(of(found, 'storage.conf')[0], { state: 'bad', advice: 'mend it: podman reads it, too' });
  t.is(of(found, 'daemon').length, 1);
});

test('a podman that fails is told with what it says', async (t) => {
  const machine = withPodman(t, { script: 'echo "Error: no such directory /x" >&2; exit 125' });
  const { found, code } = await examine(machine);
  t.is(code, 1);
  t.like(of(found, 'podman')[0], { state: 'bad', says: 'podman info fails: Error: no such directory /x' });
});

test('settings that make no sense are told as that, and all else is looked at', async (t) => {
  const machine = withPodman(t);
  const file = join(machine.directory('config/crfs-plugin'), 'config.toml');
  t.like(of((await examine(machine)).found, 'settings')[0], { state: 'ok' });
  writeFileSync(file, 'lazzy = 1\n');
  const { found, code } = await examine(machine, 'localhost:1/img:1');
  t.is(code, 1);
  const [settings, ...others] = of(found, 'settings');
  t.true(settings?.says.startsWith(`${file}: unknown setting lazzy; `), settings?.says);
  t.like(settings, { state: 'bad', advice: 'mend it there: `crfs daemon --help` lists the settings' });
  t.deepEqual(others, []);
  t.regex(of(found, 'cache')[0]?.says ?? '', /^0 B, with .* free on its disk$/);
  t.like(of(found, 'registry')[0], { state: 'note', advice: 'mend the settings first' });
});

test('podman that keeps layers in another way can use no store', async (t) => {
  const { found } = await examine(withPodman(t, { driver: 'vfs' }));
  t.regex(of(found, 'podman')[0]?.says ?? '', /^5\.4\.0 keeps layers by vfs/);
  t.regex(of(found, 'podman')[0]?.advice ?? '', /^podman system reset/);
  t.is(of(found, 'storage.conf')[0]?.advice, null); // it would be refused
});

registryTest('an image that is named is looked for in its registry', async (t) => {
  const machine = withPodman(t);
  const tar = join(machine.root, 'image.tar');
  writeTar(tar, SMALL);
  const { name } = await imageOf(t, [tar]);
  t.like(of((await examine(machine, name)).found, 'registry')[0], {
    state: 'ok',
    says: `${name} is there, of 1 layer, lazy`,
  });
  const [host = ''] = name.split('/');
  await pushImage(await makeImage(2, 1000), `${host}/plain:1`);
  t.like(of((await examine(machine, `${host}/plain:1`)).found, 'registry')[0], {
    state: 'note',
    says: `${host}/plain:1 is there, of 2 layers, lazy once read`,
  });
  const missing = await examine(machine, name.replace(/:1$/, ':2'));
  t.is(missing.code, 1);
  t.like(of(missing.found, 'registry')[0], { state: 'bad' });
  t.regex(of(missing.found, 'registry')[0]?.advice ?? '', /^see "Registries" in docs\/cli\.md/);
  await machine.crfs('index', '--push', `${host}/plain:1`);
  t.like(of((await examine(machine, `${host}/plain:1`)).found, 'registry')[0], { state: 'ok' }); // here; elsewhere:
  const other = withPodman(t);
  const indexed = of((await examine(other, `${host}/plain:1`)).found, 'registry')[0];
  t.like(indexed, { state: 'note', says: `${host}/plain:1 is there, of 2 layers, lazy by an index in its registry` });
  t.is(
    indexed?.advice,
    `crfs mount and run need no more; podman with a store needs crfs index ${host}/plain:1 first, from 5.1 on crfs stargzify ${host}/plain:1 TARGET`,
  );
});

test('of a registry that is not there, it is told to look whether it is', async (t) => {
  const machine = withPodman(t);
  const { found, code } = await examine(machine, '127.0.0.1:1/img:1');
  t.is(code, 1);
  t.like(of(found, 'registry')[0], {
    state: 'bad',
    advice: 'see whether the registry runs, and whether its host and port, and the proxy if there is one, are right',
  });
});

mountingTest()('a user without IDs of his own is told how to get some', async (t) => {
  const machine = withPodman(t);
  for (const name of ['home', 'cache', 'state', 'config', 'run', 'tmp']) chmodSync(machine.directory(name), 0o777);
  chmodSync(machine.root, 0o755);
  mkdirSync(join(machine.root, 'home/cache'));
  await run('chown', ['65534:65534', join(machine.root, 'home/cache')]);
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', crfs, 'doctor'];
  const env = { ...machine.env, XDG_CACHE_HOME: join(machine.root, 'home/cache') };
  const said = String(await run('sh', ['-c', '"$@" || true', 'sh', 'setpriv', ...nobody], { env }));
  t.regex(
    said,
    /^bad {2}rights {10}\/etc\/subuid and \/etc\/subgid have no IDs for nobody\n {21}as root: usermod --add-subuids /m,
  );
});
