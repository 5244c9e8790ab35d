// SPDX-License-Identifier: GPL-3.0-or-later

/** Paths of mounts, as the command line and the system write them. */

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { mountedAt, mountsOf } from '../../src/main/daemon/mountinfo.js';
import { checkHost } from '../../src/main/mount/host.js';
import { joinOptions, listedDirectory } from '../../src/main/mount/lowerdir.js';
import { freeMountpoint } from '../../src/main/mount/mount.js';
import { usersOf } from '../../src/main/mount/processes.js';
import { isWithin } from '../../src/main/mount/upper.js';
import { accessOf } from '../../src/main/registry/access.js';
import { mountingTest } from '../tools/machine.js';
import { run } from '../tools/run.js';

const mounting = mountingTest();

function scratch(t: ExecutionContext, ...directories: string[]): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'crfs-paths-')));
  t.teardown(() => rmSync(path, { recursive: true }));
  for (const name of directories) mkdirSync(join(path, name));
  return path;
}

test('a path is within another one part by part, and all are within the root', (t) => {
  for (const path of ['/a/b', '/a/b/c', '/a/b/c/d']) t.true(isWithin(path, '/a/b'), path);
  for (const path of ['/a', '/a/bc', '/a/b-work', '/', '/x/a/b']) t.false(isWithin(path, '/a/b'), path);
  for (const path of ['/', '/a', '/a/b']) t.true(isWithin(path, '/'), path);
});

test('commas and backslashes stay what they are in the one text of all options', (t) => {
  t.is(joinOptions(['upperdir=/a,b', 'workdir=/c\\d', 'x']), 'upperdir=/a\\,b,workdir=/c\\\\d,x');
});

test('a directory in a list has no colon, and is there', (t) => {
  const path = scratch(t, 'a', 'b:c');
  t.is(listedDirectory(join(path, 'a/.'), 'it'), join(path, 'a'));
  t.throws(() => listedDirectory(join(path, 'b:c'), 'it'), { code: 'CRFS_USAGE' });
  t.throws(() => listedDirectory(join(path, 'none'), 'it'), { code: 'CRFS_NOT_FOUND' });
});

mounting('mounts are found at paths with odd letters, the upper one of two', async (t) => {
  const odd = 'a b\t\\c\n#';
  const path = join(scratch(t, odd), odd);
  t.is(mountedAt(path), undefined);
  await run('mount', ['-t', 'tmpfs', 'tmpfs', path]);
  t.teardown(() => run('umount', ['-l', path]));
  t.is(mountedAt(path)?.type, 'tmpfs');
  await run('mount', ['-t', 'ramfs', 'ramfs', path]);
  t.teardown(() => run('umount', ['-l', path]));
  t.is(mountedAt(path)?.type, 'ramfs');
  t.is(mountsOf().filter((mount) => mount.path === path).length, 2);
});

mounting('nothing is mounted over the root of all paths, by whatever name', (t) => {
  for (const path of ['/', '/..', '/tmp/..']) t.throws(() => freeMountpoint(path), { code: 'CRFS_USAGE' }, path);
});

test('who uses a directory works in it, or has something in it open, and not beside it', (t) => {
  const path = scratch(t, 'here', 'here-too');
  for (const name of ['here', 'here-too']) {
    const child = spawn('sleep', ['1000'], { cwd: join(path, name), stdio: 'ignore' });
    t.teardown(() => child.kill());
  }
  t.deepEqual(
    usersOf(join(path, 'here')).map(({ name }) => name),
    ['sleep'],
  );
  t.is(usersOf(path).length, 2);
});

test.serial('a host has plugins from version 0.7 to 1', async (t) => {
  const path = scratch(t);
  const { PATH = '' } = process.env;
  t.teardown(() => {
    process.env['PATH'] = PATH;
  });
  process.env['PATH'] = `${path}:${PATH}`;
  const check = async (version: string): Promise<void> => {
    writeFileSync(join(path, 'fuse-overlayfs'), `#!/bin/sh\necho 'fuse-overlayfs: version ${version}'\n`, {
      mode: 0o755,
    });
    await checkHost();
  };
  for (const version of ['0.7', '0.7.6', '0.10', '1.0', '1.14-dev']) await t.notThrowsAsync(check(version), version);
  for (const version of ['0.6.9', '2.0', '10.0']) {
    await t.throwsAsync(check(version), { code: 'CRFS_NOT_FOUND', message: /install one from 0\.7 to 1\.x$/ }, version);
  }
});

test('whether certificates are checked is said by true or false, and by nothing else', (t) => {
  t.is(accessOf({ CRFS_TLS_VERIFY: 'true' }).insecure, false);
  t.is(accessOf({ CRFS_TLS_VERIFY: 'false' }).insecure, true);
  for (const CRFS_TLS_VERIFY of ['', undefined]) t.is(accessOf({ CRFS_TLS_VERIFY }).insecure, undefined);
  for (const CRFS_TLS_VERIFY of ['yes', 'no', '1', 'TRUE', ' true']) {
    t.throws(() => accessOf({ CRFS_TLS_VERIFY }), { code: 'CRFS_USAGE' }, CRFS_TLS_VERIFY);
  }
});
