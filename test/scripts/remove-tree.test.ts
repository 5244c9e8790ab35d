// SPDX-License-Identifier: GPL-3.0-or-later

/** What an interrupted run of a script has left mounted is not gone into when it is removed. */

import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mountsOf } from '../../src/main/daemon/mountinfo.js';
import { makeMachine } from '../commands/setting.js';
import { mountingTest, top } from '../tools/machine.js';
import { run } from '../tools/run.js';

const mounting = mountingTest();
const isMounted = (directory: string): boolean => mountsOf().some(({ path }) => path.startsWith(directory));

mounting('what is mounted below is unmounted, and nothing behind it removed', async (t) => {
  const machine = makeMachine(t);
  const kept = machine.directory('kept');
  writeFileSync(join(kept, 'file'), '');
  const tree = machine.directory('a tree');
  for (const name of ['proc', 'tmp']) mkdirSync(join(tree, name));
  await run('mount', ['-t', 'proc', 'proc', join(tree, 'proc')]);
  await run('mount', ['-t', 'tmpfs', 'tmpfs', join(tree, 'tmp')]);
  mkdirSync(join(tree, 'tmp/inner'));
  await run('mount', ['--bind', kept, join(tree, 'tmp/inner')]);
  symlinkSync(kept, join(tree, 'link'));
  await run(join(top, 'scripts/remove-tree'), [tree, join(machine.root, 'none'), '/nowhere/at/all']);
  t.false(isMounted(tree));
  t.false(existsSync(tree));
  t.deepEqual(readdirSync(kept), ['file']);
});

mounting('a mount that is in use is told, and nothing is removed', async (t) => {
  const machine = makeMachine(t);
  const tree = machine.directory('tree');
  mkdirSync(join(tree, 'proc'));
  writeFileSync(join(tree, 'file'), '');
  await run('mount', ['-t', 'tmpfs', 'tmpfs', join(tree, 'proc')]);
  t.teardown(() => run('umount', [join(tree, 'proc')]));
  const script = join(top, 'scripts/remove-tree');
  const error = await t.throwsAsync(run('sh', ['-c', 'cd "$1/proc"; "$0" "$1"', script, tree]));
  t.regex(error?.message ?? '', /tree\/proc: target is busy: end what uses it, and try again$/m);
  t.true(existsSync(join(tree, 'file')));
});

mounting('a root file system is made anew where a debootstrap was killed', async (t) => {
  const machine = makeMachine(t);
  const work = machine.directory('demo');
  mkdirSync(join(work, 'root/proc'), { recursive: true });
  writeFileSync(join(work, 'debian.esgz'), '');
  await run('mount', ['-t', 'proc', 'proc', join(work, 'root/proc')]);
  const script = '#!/bin/sh\n[ ! -e root ] || exit 1\nmkdir root\ntouch root/made\n';
  writeFileSync(join(machine.directory('bin'), 'debootstrap'), script, { mode: 0o755 });
  const PATH = `${join(machine.root, 'bin')}:${process.env['PATH']}`;
  await run(join(top, 'scripts/debian-layer'), [work], { env: { ...machine.env, PATH } });
  t.false(isMounted(work));
  t.deepEqual(readdirSync(join(work, 'root')), ['made']);
});
