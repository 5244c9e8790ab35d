// SPDX-License-Identifier: GPL-3.0-or-later

import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { top } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { invoke, makeMachine } from './setting.js';

const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { version: string };

test('the version is told with the commit, and what this machine can mount by', async (t) => {
  const machine = makeMachine(t);
  const told = await invoke(machine, ['--version']);
  t.is(told.code, 0);
  t.regex(
    told.stdout,
    new RegExp(`^crfs +${version.replaceAll('.', '\\.')}(, commit [0-9a-f]{12}(-dirty)?)?\nNode.js `),
  );
  t.is((await invoke(machine, ['version'])).stdout, told.stdout);
  t.is((await invoke(machine, ['-V'])).stdout, told.stdout);
  const report = JSON.parse((await invoke(machine, ['--version', '--json'])).stdout) as Record<string, unknown>;
  t.deepEqual(Object.keys(report), ['version', 'commit', 'node', 'libfuse', 'drivers']);
  t.is(report['version'], version);
  t.is(report['node'], process.versions.node);
  t.regex(String(report['libfuse']), /^3\.\d+\.\d+/);
  t.like(report['drivers'], { overlay: { version: `Linux ${release()}` } });
});

test("a command has no --version: that is the program's", async (t) => {
  const machine = makeMachine(t);
  const { code, stderr } = await invoke(machine, ['umount', '--version', 'x']);
  t.is(stderr, "crfs: unknown option '--version'; see `crfs umount --help`\n");
  t.is(code, 2);
});

test('a driver that cannot be had is told with the reason, and that is no failure', async (t) => {
  const machine = makeMachine(t);
  const fake = machine.directory('fake');
  writeFileSync(join(fake, 'fuse-overlayfs'), '#!/bin/sh\necho "fuse-overlayfs: version 2.1"\n', { mode: 0o755 });
  const { code, stdout } = await invoke(machine, ['--version'], { PATH: `${fake}:${process.env['PATH']}` });
  t.is(code, 0);
  t.regex(stdout, /^fuse-overlayfs +no: fuse-overlayfs 2\.1 has no plugins/m);
});

test('where crfs-lower is not there, or does not run, that is told', async (t) => {
  const machine = makeMachine(t);
  const copy = machine.directory('copy');
  for (const part of ['bin', 'dist/bundle', 'package.json'])
    cpSync(join(top, part), join(copy, part), { recursive: true });
  symlinkSync(join(top, 'node_modules'), join(copy, 'node_modules'));
  const told = async (): Promise<string> =>
    String(await run(join(copy, 'bin/crfs'), ['--version'], { env: machine.env }));
  t.regex(await told(), /^libfuse +none\noverlay +no: crfs-lower: there is neither /m);
  t.notRegex(await told(), /commit/);
  const broken = '#!/bin/sh\necho "libfuse3.so.3: cannot open shared object file" >&2; exit 127\n';
  writeFileSync(join(copy, 'crfs-lower'), broken, { mode: 0o755 });
  t.regex(await told(), /^libfuse +none\noverlay +no: crfs-lower: libfuse3\.so\.3: cannot open shared object file$/m);
});
