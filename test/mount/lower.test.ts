// SPDX-License-Identifier: GPL-3.0-or-later

/** What the kernel's overlay makes of the layers that crfs-lower shows it. */

import { appendFileSync, closeSync, lstatSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { pushTars } from '../tools/image.js';
import { makeLayer } from '../tools/layers.js';
import { byDriver, Machine, type Mount, mountingTest, whyNoMounts } from '../tools/machine.js';
import { nastyLayer } from '../tools/nasty-layer.js';
import { missing, startRegistry } from '../tools/registry.js';
import { run } from '../tools/run.js';
import { type TarEntry, writeTar } from '../tools/tar-writer.js';
import { compareTrees, describeTree } from '../tools/tree.js';
import { writeWhiteoutTars } from '../tools/whiteout-tars.js';

const mounting = mountingTest();
const remote = mountingTest(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));
const overlay = (implementation: (t: ExecutionContext) => Promise<void>) => byDriver('overlay', implementation);

const mtime = 1_500_000_000;

function makeMachine(t: ExecutionContext): Machine {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  return machine;
}

async function mountOf(
  t: ExecutionContext,
  entries: readonly TarEntry[],
): Promise<{ readonly machine: Machine; readonly layer: string; readonly mount: Mount }> {
  const machine = makeMachine(t);
  const tar = join(machine.directory('tars'), 'layer.tar');
  writeTar(tar, entries);
  const layer = await makeLayer(tar);
  return { machine, layer, mount: await machine.mount([layer]) };
}

/** On top of the layers of writeWhiteoutTars: whiteouts of all kinds, some of which hide nothing. */
const third: readonly TarEntry[] = [
  { name: 'only/', type: '5', mode: 0o755, mtime },
  { name: 'only/kept', mtime, content: 'kept\n' },
  { name: 'only/.wh.nothing', mtime },
  { name: 'only/device', type: '3', mtime, devmajor: 0, devminor: 0 },
  { name: 'only/deep/', type: '5', mode: 0o755, mtime },
  { name: 'only/deep/.wh.nothing', mtime },
  { name: 'merged/.wh.lower', mtime },
  { name: 'merged/.wh.gone-below', mtime },
  { name: 'opaque/.wh.new', mtime }, // old is hidden by the layer below
  { name: '.wh.file-becomes-directory', mtime },
  { name: '.wh.kept', mtime },
];

remote('layers one over another are shown as by fuse-overlayfs, without a trace of their whiteouts', async (t) => {
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const machines = [makeMachine(t)];
  const tars = machines[0]?.directory('tars') ?? '';
  const { lower, upper } = writeWhiteoutTars(tars);
  writeTar(join(tars, 'third.tar'), third);
  await pushTars([lower, upper, join(tars, 'third.tar')], `${registry.host}/img:1`);
  const image = [`docker://${registry.host}/img:1`];
  const theirs = await describeTree((await (machines[0] as Machine).mount(image)).merged);
  await overlay(async () => {
    const { merged } = await makeMachine(t).mount(image);
    t.deepEqual(compareTrees(await describeTree(merged), theirs), []);
    t.is(readFileSync(join(merged, 'both-at-once'), 'utf8'), 'the entry wins over the whiteout\n');
    t.deepEqual(readdirSync(join(merged, 'only')).sort(), ['deep', 'kept']);
    t.deepEqual(readdirSync(join(merged, 'only/deep')), []);
    t.deepEqual(readdirSync(join(merged, 'merged')), ['upper']);
    t.deepEqual(readdirSync(join(merged, 'opaque')), ['both']);
    for (const name of ['kept', 'gone', '.wh.kept', '.wh.gone', 'only/nothing', 'only/device', 'opaque/.wh..wh..opq']) {
      t.throws(() => lstatSync(join(merged, name)), { code: 'ENOENT' }, name);
    }
  })(t);
});

/** What overlays write for themselves, which in an image is content: it may not steer the one that shows it. */
const hostile: readonly TarEntry[] = [
  { name: 'secret', mtime, mode: 0o600, content: 'the secret\n' },
  ...['user', 'trusted'].flatMap((space): TarEntry[] => [
    {
      name: `${space}-redirected`,
      mtime,
      content: 'its own\n',
      xattrs: { [`${space}.overlay.metacopy`]: '', [`${space}.overlay.redirect`]: '/secret', 'user.kept': 'kept' },
    },
    { name: `${space}-directory/`, type: '5', mode: 0o755, mtime, xattrs: { [`${space}.overlay.redirect`]: '/other' } },
    { name: `${space}-directory/own`, mtime, content: 'own\n' },
    { name: `${space}-whiteouts/`, type: '5', mode: 0o755, mtime, xattrs: { [`${space}.overlay.opaque`]: 'x' } },
    { name: `${space}-whiteouts/empty`, mtime, xattrs: { [`${space}.overlay.whiteout`]: 'y' } },
  ]),
  { name: 'other/', type: '5', mode: 0o755, mtime },
  { name: 'other/hidden', mtime, content: 'hidden\n' },
];

mounting(
  'attributes by which overlays speak to themselves do nothing when a layer has them',
  overlay(async (t) => {
    const { merged } = (await mountOf(t, hostile)).mount;
    for (const space of ['user', 'trusted']) {
      const file = join(merged, `${space}-redirected`);
      t.is(readFileSync(file, 'utf8'), 'its own\n');
      t.is(String(await run('getfattr', ['--only-values', '-n', 'user.kept', file])), 'kept');
      t.deepEqual(readdirSync(join(merged, `${space}-directory`)), ['own']);
      t.deepEqual(readdirSync(join(merged, `${space}-whiteouts`)), ['empty']);
      t.is(readFileSync(join(merged, `${space}-whiteouts/empty`), 'utf8'), '');
    }
  }),
);

/** vfs_cap_data of linux/capability.h: CAP_NET_RAW, permitted and effective. */
const NET_RAW = Buffer.from('0100000200200000000000000000000000000000', 'hex');

/** posix_acl_xattr.h: the owner may read and write, the user READER may read, nobody else anything. */
const READER = 12_345;
function acl(): Buffer {
  const entries = [
    [1, 6, -1],
    [2, 4, READER],
    [4, 0, -1],
    [16, 4, -1],
    [32, 0, -1],
  ] as const;
  const bytes = Buffer.alloc(4 + 8 * entries.length);
  bytes.writeUInt32LE(2, 0);
  for (const [n, [tag, permissions, id]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + 8 * n);
    bytes.writeUInt16LE(permissions, 6 + 8 * n);
    bytes.writeInt32LE(id, 8 + 8 * n);
  }
  return bytes;
}

async function as(user: number, ...command: string[]): Promise<string> {
  return String(await run('setpriv', [`--reuid=${user}`, '--regid=54321', '--clear-groups', ...command]));
}

mounting(
  'a program has the capabilities of its file, and an access control list lets in whom it names',
  overlay(async (t) => {
    const { machine, mount } = await mountOf(t, [
      { name: 'grep', mode: 0o755, content: readFileSync('/bin/grep'), xattrs: { 'security.capability': NET_RAW } },
      { name: 'listed', mode: 0o640, content: 'for one\n', xattrs: { 'system.posix_acl_access': acl() } },
    ]);
    await run('chmod', ['755', machine.root]);
    t.is(await as(READER, join(mount.merged, 'grep'), 'CapEff', '/proc/self/status'), 'CapEff:\t0000000000002000\n');
    t.is(await as(READER, 'cat', join(mount.merged, 'listed')), 'for one\n');
    await t.throwsAsync(as(READER + 1, 'cat', join(mount.merged, 'listed')), { message: /Permission denied/ });
  }),
);

/** For each file of a tree, by its inode number, all of its names. */
async function namesOfFiles(directory: string): Promise<string[]> {
  const printed = await run('find', ['.', '!', '-type', 'd', '-printf', '%i %p\\0'], { cwd: directory });
  const names = new Map<string, string[]>();
  for (const line of printed.toString('latin1').split('\0').slice(0, -1)) {
    const [number = ''] = line.split(' ', 1);
    names.set(number, [...(names.get(number) ?? []), line.slice(number.length + 1)]);
  }
  return [...names.values()].map((all) => all.sort().join('\n')).sort();
}

mounting(
  'names that are of one file have its inode number, and no others do',
  overlay(async (t) => {
    const machine = makeMachine(t);
    const { layer, extracted } = await nastyLayer();
    const expected = await namesOfFiles(extracted);
    t.true(expected.some((names) => names.includes('\n')));
    for (const upper of [false, true]) {
      const mount = await machine.mount([layer], { upper });
      t.deepEqual(await namesOfFiles(mount.merged), expected);
      t.deepEqual(await namesOfFiles(mount.merged), expected);
      await mount.unmount();
    }
  }),
);

mounting(
  'a file that is written to keeps its inode number while it is open',
  overlay(async (t) => {
    const machine = makeMachine(t);
    const { merged } = await machine.mount([(await nastyLayer()).layer], { upper: true });
    const file = join(merged, 'sizes/513');
    const before = lstatSync(file).ino;
    const held = openSync(file, 'r');
    appendFileSync(file, 'more\n');
    t.is(lstatSync(file).ino, before);
    closeSync(held);
  }),
);

mounting(
  'another user sees what modes allow, and changes nothing',
  overlay(async (t) => {
    const { machine, mount } = await mountOf(t, [
      { name: 'open/', type: '5', mode: 0o777, mtime },
      { name: 'open/readable', mode: 0o666, mtime, content: 'readable\n' },
      { name: 'secret', mode: 0o600, mtime, content: 'secret\n' },
      { name: 'closed/', type: '5', mode: 0o700, mtime },
      { name: 'closed/inside', mode: 0o666, mtime, content: 'inside\n' },
    ]);
    await run('chmod', ['755', machine.root]);
    const script = join(machine.root, 'script');
    const attempts = [
      'cat open/readable',
      'cat secret',
      'cat closed/inside',
      'ls closed',
      'sh -c "echo x >open/readable"',
      'touch open/new',
      'setfattr -n user.x -v y open/readable',
      'ln open/readable open/link',
      'chmod 777 open',
      'getfattr -n trusted.overlay.opaque open',
      'dd if=secret iflag=direct count=1',
      'umount -l .',
    ];
    writeFileSync(script, attempts.map((line) => `${line} 2>/dev/null; echo $?`).join('\n'));
    const args = ['--reuid=12345', '--regid=12345', '--clear-groups', 'sh', script];
    const outcome = String(await run('setpriv', args, { cwd: mount.merged })).split('\n');
    t.deepEqual(outcome.slice(0, 2), ['readable', '0']);
    t.is(outcome.slice(2, -1).length, attempts.length - 1);
    for (const [n, code] of outcome.slice(2, -1).entries()) t.not(code, '0', attempts[n + 1]);
    t.is(readFileSync(join(mount.merged, 'secret'), 'utf8'), 'secret\n');
  }),
);
