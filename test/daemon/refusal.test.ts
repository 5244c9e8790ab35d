// SPDX-License-Identifier: GPL-3.0-or-later

import { constants } from 'node:os';
import test from 'ava';
import { refusalOf } from '../../src/main/daemon/refusal.js';
import { CrfsError } from '../../src/main/errors/error.js';

test('a mount is told that the disk is full in words for a person', (t) => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' });
  t.deepEqual(refusalOf(full, ['docker://host/img']), {
    kind: 'error',
    errno: constants.errno.ENOSPC,
    text: 'no space is left on the disk of the cache: make room, or set XDG_CACHE_HOME to a directory on another one',
  });
});

test('a mount is told of what it asked for without its name, which it prints itself', (t) => {
  const error = new CrfsError('CRFS_NOT_FOUND', 'no manifest of docker://host/img: it is not there');
  const { errno, text } = refusalOf(error, ['docker://host/img']) as { errno: number; text: string };
  t.deepEqual([errno, text.includes('host/img')], [constants.errno.ENOENT, false]);
});
