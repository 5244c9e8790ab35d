// SPDX-License-Identifier: GPL-3.0-or-later

/** The daemon's life: started by mounts, once; ended when it idles, or by force, without a mount noticing. */

import { linkSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { descriptors, holdConnections } from '../faults/world.js';
import { noise, text } from '../tools/content.js';
import { makeLayer } from '../tools/layers.js';
import { anyDriver, eachDriver, Machine, mountingTest, until } from '../tools/machine.js';
import { once } from '../tools/once.js';
import { writeTar } from '../tools/tar-writer.js';

const mounting = eachDriver();
const shared = anyDriver();

const contents = {
  'small-1': text(1000),
  'small-2': text(2000),
  'large-1': noise(9_000_000, 1),
  'large-2': noise(9_000_000, 2),
};
type Name = keyof typeof contents;

/** Made once for all machines. */
const oneLayer = once(async () => {
  const place = mkdtempSync(join(tmpdir(), 'crfs-layer-'));
  process.once('exit', () => rmSync(place, { recursive: true }));
  const tar = join(place, 'layer.tar');
  writeTar(
    tar,
    Object.entries(contents).map(([name, content]) => ({ name, content })),
  );
  return await makeLayer(tar);
});

/** A machine with one layer, whose files are far enough apart that none brings in another. */
async function prepare(t: ExecutionContext, settings: Record<string, string> = {}) {
  const machine = new Machine({ CRFS_READAHEAD: '0', ...settings });
  t.teardown(() => machine.dispose());
  const layer = join(machine.directory('layers'), 'layer.esgz');
  linkSync(await oneLayer(), layer);
  const pid = async (): Promise<number> => (await machine.status())?.pid ?? 0;
  const logged = (message: string): number => machine.log.split('\n').filter((line) => line.includes(message)).length;
  return { machine, layer, pid, logged };
}

function isRight(merged: string, name: Name): boolean {
  return readFileSync(join(merged, name)).equals(contents[name]);
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

mounting('ten mounts that race start one daemon', async (t) => {
  const { machine, layer, logged } = await prepare(t);
  const mounts = await Promise.all(Array.from({ length: 10 }, () => machine.mount([layer])));
  for (const { merged } of mounts) t.true(isRight(merged, 'large-1'));
  t.is((await machine.status())?.mounts.length, 10);
  t.is(logged('the daemon is ready'), 1);
  t.is(logged('read the TOC of a layer'), 1);
});

mounting('the daemon is detached from the mount that starts it', async (t) => {
  const { machine, layer, pid } = await prepare(t);
  const marker = join(machine.root, 'marker');
  writeFileSync(marker, '');
  await machine.mount([layer], { through: ['sh', '-c', `exec 9<${marker}; exec "$@"`, 'sh'] });
  const daemon = `/proc/${await pid()}`;
  const open = descriptors(await pid());
  t.true(open.length > 3);
  t.false(open.includes(marker));
  t.deepEqual(open.slice(0, 2), ['/dev/null', '/dev/null']);
  t.is(readlinkSync(`${daemon}/cwd`), '/');
  const [, , , session, terminal] = statOf(daemon);
  t.not(session, statOf('/proc/self')[3]);
  t.is(terminal, '0');
});

/** The fields of /proc/PID/stat behind the command's name: state, parent, group, session, terminal, ... */
function statOf(process: string): string[] {
  return readFileSync(`${process}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
}

shared('who has connected to the daemon, and says nothing, is no mount', async (t) => {
  const { machine, layer, pid } = await prepare(t);
  await machine.mount([layer]);
  const daemon = await pid();
  const before = descriptors(daemon).length;
  t.teardown(await holdConnections(join(machine.root, 'cache/crfs-plugin/control.sock'), 4));
  await until('most of them are accepted', () => descriptors(daemon).length >= before + 2);
  t.is((await machine.status())?.mounts.length, 1);
});

shared('the daemon ends when it has had no mount for a while, and not before', async (t) => {
  const { machine, layer, pid, logged } = await prepare(t, { CRFS_IDLE_TIMEOUT: '1' });
  const first = await machine.mount([layer]);
  const mount = await machine.mount([layer]);
  const daemon = await pid();
  await first.unmount();
  await until('one mount is left', async () => (await machine.status())?.mounts.length === 1);
  const other = new Machine({ CRFS_IDLE_TIMEOUT: '1' });
  t.teardown(() => other.dispose());
  await other.crfs('daemon');
  await until('a later daemon, without a mount, has ended', () => other.log.includes(': no mount for 1 s'));
  t.is(await pid(), daemon);
  t.true(isRight(mount.merged, 'small-1'));
  await mount.unmount();
  await until('the daemon ends', () => !lives(daemon));
  t.true(logged('the daemon ends: no mount for 1 s') > 0);
  t.is(await machine.status(), null);
});

shared('the daemon stays as long as one of its mounts does', async (t) => {
  const { machine, layer, pid } = await prepare(t, { CRFS_IDLE_TIMEOUT: '1' });
  const other = await prepare(t, { CRFS_IDLE_TIMEOUT: '1' });
  const mounts = [await machine.mount([layer]), await machine.mount([layer])];
  const daemon = await pid();
  await mounts[0]?.unmount();
  await until('one mount is let go', async () => (await machine.status())?.mounts.length === 1);
  await (await other.machine.mount([other.layer])).unmount();
  await until('a daemon without mounts has ended', async () => (await other.pid()) === 0);
  t.is(await pid(), daemon);
  t.true(isRight(mounts[1]?.merged ?? '', 'small-1'));
});

shared('the password of a URL is printed nowhere', async (t) => {
  const { machine } = await prepare(t);
  const secret = 'pa55:w@rd';
  const merged = machine.directory('merged');
  for (const scheme of ['http', 'https', 'HTTPS']) {
    const url = `${scheme}://someone:${secret}@127.0.0.1:1/layer.esgz`;
    const error = await t.throwsAsync(machine.mount([url]));
    t.regex(error?.message ?? '', new RegExp(`crfs: ${scheme}://\\*@127\\.0\\.0\\.1:1/layer\\.esgz: `));
    t.notRegex(error?.message ?? '', /pa55|w@rd/);
    const told = await t.throwsAsync(machine.crfs('mount', url, merged));
    t.notRegex(told?.message.replaceAll(url, '') ?? '', /pa55|w@rd/);
  }
  t.notRegex(machine.log, /pa55|w@rd/);
  t.notRegex(JSON.stringify(await machine.status()), /pa55|w@rd/);
});

mounting('after `crfs stop` a mount starts a daemon anew, and reads on', async (t) => {
  const { machine, layer, pid } = await prepare(t);
  const { merged } = await machine.mount([layer], { upper: true });
  t.true(isRight(merged, 'large-1'));
  const first = await pid();
  await machine.crfs('stop');
  await until('the daemon has ended', () => !lives(first));
  t.true(isRight(merged, 'large-2'));
  t.true(lives(await pid()));
  t.not(await pid(), first);
});

/** Kills the daemon before each file is read. */
async function readsWithoutDaemon(t: ExecutionContext, ...options: string[]): Promise<void> {
  const { machine, layer, pid } = await prepare(t);
  const { merged } = await machine.mount([layer], { options: ['fast_ino=1', ...options] });
  for (const name of ['small-1', 'large-1', 'large-2', 'small-2'] as const) {
    const daemon = await pid();
    if (daemon !== 0) process.kill(daemon, 'SIGKILL');
    await until('the daemon is dead', () => !lives(daemon));
    t.true(isRight(merged, name), name);
  }
  t.is((await machine.status())?.mounts.length, 1);
}

mounting('a daemon that is killed is replaced when a cold file is read', (t) => readsWithoutDaemon(t, 'threaded=1'));
mountingTest()('a daemon that is killed is replaced when a cold file is read, by a host of one thread', (t) =>
  readsWithoutDaemon(t, 'threaded=0'),
);

shared('a layer is mounted again, also by another daemon, without reading its TOC', async (t) => {
  const { machine, layer, logged } = await prepare(t);
  for (let round = 0; round < 3; round++) {
    const mount = await machine.mount([layer]);
    t.true(isRight(mount.merged, 'small-1'));
    await mount.unmount();
    if (round === 1) await machine.stop();
  }
  t.is(logged('the daemon is ready'), 2);
  t.is(logged('read the TOC of a layer'), 1);
});

shared('a layer file that is replaced is read anew by the next mount', async (t) => {
  const { machine, layer, logged } = await prepare(t);
  const first = await machine.mount([layer]);
  const tar = join(machine.directory('tars'), 'other.tar');
  writeTar(tar, [{ name: 'other', content: 'of the other layer\n' }]);
  const other = await makeLayer(tar);
  rmSync(layer);
  writeFileSync(layer, readFileSync(other));
  const second = await machine.mount([layer]);
  t.is(readFileSync(join(second.merged, 'other'), 'utf8'), 'of the other layer\n');
  t.true(isRight(first.merged, 'large-1'));
  t.is(logged('read the TOC of a layer'), 2);
});
