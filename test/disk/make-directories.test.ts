// SPDX-License-Identifier: GPL-3.0-or-later

import { statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { makeDirectories } from '../../src/main/disk/make-directories.js';
import { Machine } from '../tools/machine.js';

function makeRoot(t: ExecutionContext): string {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  return machine.root;
}

test('makes what is missing, and says where that began', (t) => {
  const root = makeRoot(t);
  t.is(makeDirectories(join(root, 'a/b/c'), 0o700), join(root, 'a'));
  t.is(statSync(join(root, 'a/b/c')).mode & 0o777, 0o700);
  t.is(makeDirectories(join(root, 'a/b/d')), join(root, 'a/b/d'));
  t.is(makeDirectories(join(root, 'a/b')), undefined);
});

test('one that is there by the time that it is to be made will do', (t) => {
  const root = makeRoot(t);
  t.is(makeDirectories(`${root}/a/.`), join(root, 'a')); // both parts of the path are the same directory
});

test('fails where none can be made', (t) => {
  const root = makeRoot(t);
  writeFileSync(join(root, 'file'), '');
  symlinkSync('nowhere', join(root, 'link'));
  t.throws(() => makeDirectories('/proc/none/at/all'), { code: 'ENOENT' });
  t.throws(() => makeDirectories(join(root, 'file/below')));
  t.throws(() => makeDirectories(join(root, 'link/below')), { code: 'EEXIST' });
});
