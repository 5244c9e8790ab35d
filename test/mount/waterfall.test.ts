// SPDX-License-Identifier: GPL-3.0-or-later

/** What is kept of how a start went, and the page of it. */

import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Status } from '../../src/main/daemon/status.js';
import { CacheLayout } from '../../src/main/disk/cache-layout.js';
import type { Profile } from '../../src/main/profile/profile.js';
import { keptStart } from '../../src/main/waterfall/kept.js';
import type { StartRecord } from '../../src/main/waterfall/record.js';
import { noise } from '../tools/content.js';
import { Gate } from '../tools/gate.js';
import { anyDriver, eachDriver, type Machine, until, whyNoMounts } from '../tools/machine.js';
import { missing } from '../tools/registry.js';
import { MIB, type RemoteLayer, remoteLayer } from '../tools/remote-layer.js';

const both = eachDriver(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));
const shared = anyDriver(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

/** The last of them comes with the TOC. */
const FILES = {
  one: noise(200_000, 1),
  large: noise(8 * MIB, 2),
  two: noise(300_000, 3),
  last: noise(2 * MIB, 4),
};

type Start = NonNullable<Status['mounts'][number]['starts']>[number];

async function startOf(machine: Machine): Promise<Start | undefined> {
  return (await machine.status())?.mounts.at(-1)?.starts?.[0];
}

async function shown(machine: Machine, image: string): Promise<Profile> {
  return JSON.parse(await machine.crfs('profile', 'show', image, '--json')) as Profile;
}

function kept(machine: Machine, image: string): StartRecord | undefined {
  return keptStart(new CacheLayout(join(machine.objects, '../..')), image);
}

/** Reads files of the mount, and has the daemon end, which keeps what it has seen. Returns the image's digest. */
async function start({ machine, image }: RemoteLayer, merged: string, ...files: readonly string[]): Promise<string> {
  for (const file of files) await readFile(join(merged, file));
  await until('all of it is noted', async () => (await startOf(machine))?.files === files.length);
  await machine.stop();
  return (await shown(machine, image)).image;
}

function recordOf(machine: Machine, image: string): StartRecord {
  const record = kept(machine, image);
  if (record === undefined) throw new Error('nothing is kept');
  return record;
}

function pathsOf(record: StartRecord, list: readonly { readonly file: number }[]): (string | undefined)[] {
  return list.map(({ file }) => record.files[file]?.path);
}

both(
  'of a start it is kept what waited, for what and how long, and what came over the network; a page shows it',
  async (t, driver) => {
    const layer = await remoteLayer(t, FILES);
    const { machine, mount, image, proxy } = layer;
    const gate = new Gate();
    t.teardown(() => gate.open());
    proxy.fault = ({ headers }) => (headers.range === undefined ? undefined : { kind: 'hold', gate });
    const reading = readFile(join(mount.merged, 'one'));
    const asked = driver === 'overlay' ? 1 : 2; // by the read; before it, by the open, which does not wait
    await until('its reader waits', async () => ((await machine.status())?.counters.requests ?? 0) >= asked);
    gate.open();
    await reading;
    const digest = await start(layer, mount.merged, 'one', 'two');
    const record = recordOf(machine, digest);
    t.deepEqual(pathsOf(record, record.reads), ['one', 'two']);
    t.is(pathsOf(record, record.waits)[0], 'one');
    t.true((record.waits[0]?.networkMs ?? 0) > 0, 'the first waited for the network');
    for (const { at, ms, networkMs } of record.waits) t.true(at >= record.ready && networkMs <= ms);
    t.true(0 < record.resolved && record.resolved <= record.ready);
    t.is(record.requests[record.reads[0]?.request ?? -1]?.purpose, 'demand');
    t.true(record.requests.some(({ purpose }) => purpose === 'toc'));
    t.true(record.requests.every(({ bytes, firstByteMs, ms }) => bytes > 0 && firstByteMs <= ms));
    t.is(record.missed, 0);

    const file = join(machine.root, 'start.html');
    t.regex(await machine.crfs('profile', 'show', image, '--html', file), /: wrote .*start\.html\n$/);
    const page = readFileSync(file, 'utf8');
    for (const text of [image, digest, '/one', '/two', 'for a reader who waited']) t.true(page.includes(text), text);
    t.notRegex(page, /<script|https?:/);
    await t.throwsAsync(machine.crfs('profile', 'show', image, '--html', join(machine.root, 'not-there/x.html')), {
      message: /not-there\/x\.html: no such file or directory/,
    });

    await machine.crfs('profile', 'rm', image);
    t.is(kept(machine, digest), undefined);
    await t.throwsAsync(machine.crfs('profile', 'show', image, '--html', file), { message: /there is no profile/ });
  },
);

shared('what was fetched ahead of a start and never read is told, and that of a profile alone is not', async (t) => {
  const layer = await remoteLayer(t, FILES, { foreground: true });
  const { machine, mount, image } = layer;
  const digest = await start(layer, mount.merged, 'one', 'large');
  await mount.unmount();
  await machine.crfs('cache', 'clear');
  const again = await machine.mount([image]);
  await until('what was read before is there', async () => (await startOf(machine))?.order?.fetching === 'ended');
  await start(layer, again.merged, 'one');
  const record = recordOf(machine, digest);
  t.is(record.requests[record.reads[0]?.request ?? -1]?.purpose, 'order');
  const [unread] = record.unread;
  t.deepEqual(unread && [record.files[unread.file]?.path, unread.purpose], ['large', 'order']);
  t.true((unread?.bytes ?? 0) > 7 * MIB);
  t.true(record.unreadBytes >= (unread?.bytes ?? 0));
  t.false(pathsOf(record, record.unread).includes('one'));
});
