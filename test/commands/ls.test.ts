// SPDX-License-Identifier: GPL-3.0-or-later

import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import type { Facts } from '../../src/main/inspect/facts.js';
import { crfs } from '../tools/machine.js';
import { writeTar } from '../tools/tar-writer.js';
import { writeWhiteoutTars } from '../tools/whiteout-tars.js';
import { imageOf, invoke, layerOf, makeMachine, registryTest, SMALL } from './setting.js';

test('ls lists a directory of a layer, sorted by bytes', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  t.deepEqual(await invoke(machine, ['ls', layer]), { code: 0, stdout: 'bin\netc\nusr\n', stderr: '' });
  t.is((await invoke(machine, ['ls', './small.tar.esgz', '/bin/'])).stdout, 'alias\ntool\n');
  t.is((await invoke(machine, ['ls', 'small.tar.esgz', 'bin/tool'])).stdout, 'tool\n');
});

test('ls escapes what a terminal would obey, and -0 gives names as they are', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  const bad = 'bad\x1b[31m\n\\name';
  t.is((await invoke(machine, ['ls', layer, 'etc'])).stdout, 'bad\\u001b[31m\\n\\\\name\nempty\nlink\n');
  t.is((await invoke(machine, ['ls', '-0', layer, 'etc'])).stdout, `${bad}\0empty\0link\0`);
  const json = (await invoke(machine, ['ls', '--json', layer, 'etc'])).stdout;
  t.false(json.includes('\x1b'));
  t.is((JSON.parse(json) as Facts[])[0]?.path, `/etc/${bad}`);
});

test('a name that is not UTF-8 goes from ls -0 to cat as it is', async (t) => {
  const machine = makeMachine(t);
  const name = Buffer.from('caf\xe9 \xff', 'latin1');
  const layer = await layerOf(machine, [{ name, content: 'coffee' }]);
  const script = '"$0" ls -0 "$1" > names && xargs -0 "$0" cat "$1" < names';
  const { stdout } = await promisify(execFile)('sh', ['-c', script, crfs, layer], {
    cwd: machine.root,
    env: machine.env,
  });
  t.deepEqual(readFileSync(join(machine.root, 'names')), Buffer.concat([name, Buffer.of(0)]));
  t.is(stdout, 'coffee');
});

test('ls -l shows mode, links, owner, size, time, name and target', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  const time = '2017-07-14 02:40';
  t.deepEqual((await invoke(machine, ['ls', '-l', '-R', layer])).stdout.split('\n'), [
    `drwxr-xr-x   2     0     0          0 ${time} bin`,
    `-rwsr-xr-x   2     0     0          4 ${time} bin/alias`,
    `-rwsr-xr-x   2     0     0          4 ${time} bin/tool`,
    `drwxr-x---   2     3     4          0 ${time} etc`,
    `-rw-r--r--   1     0     0          1 ${time} etc/bad\\u001b[31m\\n\\\\name`,
    `-rw-------   1     0     0          0 ${time} etc/empty`,
    `lrwxrwxrwx   1     0     0         10 ${time} etc/link -> /usr/share`,
    `drwxrwxrwt   3     0     0          0 ${time} usr`,
    `crw-rw-rw-   1     0     0       1, 3 ${time} usr/null`,
    `drwxr-xr-x   2     0     0          0 ${time} usr/share`,
    `-rw-r--r--   1     0     0         12 ${time} usr/share/text`,
    '',
  ]);
});

test('ls -l tells special bits of files that nobody may run from those of others', async (t) => {
  const machine = makeMachine(t);
  const modes = [0o4644, 0o4755, 0o2640, 0o2750, 0o1666, 0o1777, 0o7000];
  const layer = await layerOf(
    machine,
    modes.map((mode, n) => ({ name: `${n}`, mode, mtime: 1_500_000_000 })),
  );
  const { stdout } = await invoke(machine, ['ls', '-l', layer]);
  t.deepEqual(stdout.match(/^\S+/gm), [
    '-rwSr--r--',
    '-rwsr-xr-x',
    '-rw-r-S---',
    '-rwxr-s---',
    '-rw-rw-rwT',
    '-rwxrwxrwt',
    '---S--S--T',
  ]);
});

test('ls --json says the same for programs', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  const owner = { uid: 0, gid: 0, mtime: '2017-07-14T02:40:00.000000000Z', layer: 1 };
  t.deepEqual(JSON.parse((await invoke(machine, ['ls', '--json', layer, 'usr'])).stdout), [
    { path: '/usr/null', type: 'char', mode: '0666', nlink: 1, size: 0, device: { major: 1, minor: 3 }, ...owner },
    { path: '/usr/share', type: 'directory', mode: '0755', nlink: 2, size: 0, ...owner },
  ]);
});

test('ls follows symlinks within the layer, and none out of it', async (t) => {
  const machine = makeMachine(t);
  const loop = { name: 'loop', type: '2', linkname: 'loop' };
  const out = { name: 'out', type: '2', linkname: '../../../../etc' };
  const layer = await layerOf(machine, [...SMALL, loop, out]);
  t.is((await invoke(machine, ['ls', layer, 'etc/link'])).stdout, 'text\n');
  t.is((await invoke(machine, ['ls', layer, 'out/../bin'])).stdout, 'alias\ntool\n');
  t.is((await invoke(machine, ['ls', layer, '/../../usr/share'])).stdout, 'text\n');
  t.deepEqual(await invoke(machine, ['ls', layer, 'loop/']), {
    code: 1,
    stdout: '',
    stderr: 'crfs: "loop/": more than 40 symlinks\n',
  });
});

test('ls of what is not there says so, and fails', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  const failed = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await invoke(machine, ['ls', ...args]);
    t.is(stdout, '');
    return `${code} ${stderr}`;
  };
  t.is(await failed(layer, 'no/such'), `1 crfs: "no/such": there is no "/no" in ${layer}\n`);
  t.is(await failed(layer, 'bin/tool/x'), '1 crfs: "bin/tool/x": "/bin/tool" is no directory\n');
  t.is(await failed(`${layer}x`), `1 crfs: ${layer}x: cannot be opened: no such file or directory\n`);
  t.is(await failed('--layer', '2', layer), `1 crfs: ${layer} has only layer 1: there is no layer 2\n`);
  t.is(await failed('-0', '-l', layer), '2 crfs: -0 prints names alone: it goes with neither -l nor --json\n');
  writeFileSync(join(machine.root, 'no-layer'), 'no layer');
  t.regex(await failed('no-such.esgz'), /^2 crfs: there is no file "no-such.esgz", and it names no registry/);
  t.regex(
    await failed('./no-layer'),
    /^1 crfs: .*no-layer: is no layer that can be mounted, or was cut short: .*crfs stargzify/,
  );
});

registryTest('ls merges the layers of an image as an overlay does, or shows one as it is', async (t) => {
  const machine = makeMachine(t);
  const { lower, upper } = writeWhiteoutTars(machine.directory('tars'));
  const { name, image } = await imageOf(t, [lower, upper]);
  const listed = JSON.parse((await invoke(machine, ['ls', '-R', '--json', name])).stdout) as Facts[];
  t.deepEqual(
    listed.map(({ path, type, layer }) => `${layer} ${type} ${path}`),
    [
      '2 file /both-at-once',
      '2 file /directory-becomes-file',
      '2 directory /file-becomes-directory',
      '2 file /file-becomes-directory/inside',
      '2 symlink /file-becomes-symlink',
      '1 file /kept',
      '2 directory /merged',
      '1 file /merged/lower',
      '2 file /merged/upper',
      '2 directory /only-here',
      '2 file /only-here/file',
      '2 directory /opaque',
      '2 file /opaque/both',
      '2 file /opaque/new',
      '2 file /replaced',
      '2 directory /symlink-becomes-directory',
      '2 file /symlink-becomes-directory/inside',
    ],
  );
  const raw = ['.wh.gone', '.wh.gone-directory', '.wh.never-was', 'both-at-once', 'directory-becomes-file'];
  const digest = image.layers[1]?.digest ?? '';
  for (const layer of ['2', digest, digest.slice('sha256:'.length, 20)]) {
    const { stdout } = await invoke(machine, ['ls', '--layer', layer, `docker://${name}`]);
    t.deepEqual(stdout.split('\n').slice(0, 5), raw, layer);
  }
  t.is((await invoke(machine, ['ls', '--layer', '2', name, 'opaque'])).stdout, '.wh..wh..opq\nboth\nnew\n');
});

registryTest('a directory is opaque by its mark of an overlay if that says so', async (t) => {
  const machine = makeMachine(t);
  const tars = ['lower', 'upper'].map((name) => join(machine.directory('tars'), `${name}.tar`));
  const marks = ['trusted.overlay.opaque', 'user.overlay.opaque', 'user.fuseoverlayfs.opaque'];
  const directories = marks.flatMap((mark) => ['y', 'n'].map((says) => ({ name: `${mark}-${says}/`, mark, says })));
  writeTar(
    tars[0] ?? '',
    directories.map(({ name }) => ({ name: `${name}below` })),
  );
  writeTar(
    tars[1] ?? '',
    directories.map(({ name, mark, says }) => ({ name, type: '5', mode: 0o755, xattrs: { [mark]: says } })),
  );
  const { name } = await imageOf(t, tars);
  const { stdout } = await invoke(machine, ['ls', '-R', name]);
  t.deepEqual(
    stdout.split('\n').filter((line) => line.endsWith('below')),
    marks.map((mark) => `${mark}-n/below`).sort(),
  );
});
