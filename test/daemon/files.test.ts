// SPDX-License-Identifier: GPL-3.0-or-later

/** Files of a daemon beside its cache: its log, its lock, its sockets. */

import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest, { type ExecutionContext } from 'ava';
import { lockDaemon, lockHolder } from '../../src/main/daemon/lock.js';
import { openLog } from '../../src/main/daemon/log.js';
import { API_SOCKET, CONTROL_SOCKET, SocketDirectory } from '../../src/main/daemon/socket-directory.js';
import { makeCacheDirectory } from '../../src/main/settings/directories.js';

const MIB = 1 << 20;

const test = anyTest.serial; // the environment is the process's

interface Place {
  readonly state: string;
  readonly cache: string;
}

/** Directories for what the environment of this process names. */
function place(t: ExecutionContext): Place {
  const path = mkdtempSync(join(tmpdir(), 'crfs-files-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  process.env['XDG_STATE_HOME'] = join(path, 'state');
  process.env['XDG_CACHE_HOME'] = join(path, 'cache');
  return { state: join(path, 'state/crfs-plugin'), cache: join(path, 'cache/crfs-plugin') };
}

/** The lines of a log, each an object. */
function linesOf(path: string): { level: string; msg: string; lost?: number }[] {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as { level: string; msg: string });
}

test('a log that has grown to 8 MiB becomes another one, of which there is one', (t) => {
  const { state } = place(t);
  const log = openLog('info', false);
  const path = join(state, 'daemon.log');
  for (let n = 0; n < 9; n++) log.info(`${n} ${'x'.repeat(MIB)}`);
  t.deepEqual([linesOf(`${path}.1`).length, linesOf(path).length], [8, 1]);
  log.warn('the next');
  t.is(linesOf(path).at(-1)?.msg, 'the next');
  for (let n = 0; n < 9; n++) log.info(`${n} ${'y'.repeat(MIB)}`);
  t.is(linesOf(`${path}.1`)[1]?.msg, 'the next');
  t.is(statSync(path).mode & 0o777, 0o600);
  const again = openLog('info', false);
  for (let n = 0; n < 8; n++) again.info(`${n} ${'z'.repeat(MIB)}`);
  t.true(statSync(path).size < 9 * MIB, 'what an earlier daemon has written counts');
});

test('lines below the level are left out, and passwords in all of them', (t) => {
  const { state } = place(t);
  const log = openLog('warn', false);
  log.info('nothing');
  log.error({ url: 'http://me:secret@host/x' }, 'of http://me:secret@host/x');
  const text = readFileSync(join(state, 'daemon.log'), 'utf8');
  t.false(text.includes('secret') || text.includes('nothing'));
  t.is(text.trimEnd().split('\n').length, 1);
});

test('lines that cannot be written are counted, and told of once', (t) => {
  const { state } = place(t);
  const path = join(state, 'daemon.log');
  mkdirSync(state, { recursive: true, mode: 0o700 });
  symlinkSync('/dev/full', path);
  const log = openLog('info', false);
  for (const n of [1, 2, 3]) log.info(`lost ${n}`);
  rmSync(path);
  log.info('one');
  log.info('two');
  const lines = linesOf(path);
  t.deepEqual(
    lines.map(({ msg, lost }) => [lost, msg]),
    [
      [3, '3 lines are missing here: they could not be written'],
      [undefined, 'one'],
      [undefined, 'two'],
    ],
  );
});

test('a lock tells who has it, and nothing else that stands there', (t) => {
  const { cache } = place(t);
  const path = join(cache, 'daemon.lock');
  t.true(lockDaemon());
  t.regex(lockHolder(), new RegExp(`^process ${process.pid} on \\S+$`));
  t.false(lockDaemon(), 'it is held by a descriptor, not by the process');
  for (const text of ['', 'process 1 on \x1b[31mhost\nmore', 'process x on host', '\0'.repeat(50)]) {
    writeFileSync(path, text);
    t.is(lockHolder(), 'a process that is not told', JSON.stringify(text));
  }
});

test('sockets are there as long as whoever looks for the daemon finds these very files', (t) => {
  const { cache } = place(t);
  makeCacheDirectory();
  const sockets = new SocketDirectory();
  t.teardown(() => sockets.close());
  const names = ['daemon.lock', CONTROL_SOCKET, API_SOCKET];
  for (const name of names) {
    t.false(sockets.isThere());
    writeFileSync(join(cache, name), '');
  }
  t.true(sockets.isThere());
  for (const name of names) {
    renameSync(join(cache, name), join(cache, 'away'));
    t.false(sockets.isThere(), `${name} is gone`);
    renameSync(join(cache, 'away'), join(cache, name));
    t.true(sockets.isThere());
  }
  renameSync(cache, `${cache}-away`);
  mkdirSync(cache, { mode: 0o700 });
  for (const name of names) writeFileSync(join(cache, name), '');
  t.false(sockets.isThere(), 'another directory is in its place');
});

test('a directory that others may enter is no place for a daemon', (t) => {
  const { cache } = place(t);
  mkdirSync(cache, { recursive: true });
  for (const mode of [0o750, 0o705, 0o701, 0o710]) {
    chmodSync(cache, mode);
    t.throws(() => lockDaemon(), { code: 'CRFS_DENIED', message: /cannot be used: .*mode 0700/ }, mode.toString(8));
  }
  t.false(existsSync(join(cache, 'daemon.lock')));
  chmodSync(cache, 0o700);
  t.true(lockDaemon());
});
