// SPDX-License-Identifier: GPL-3.0-or-later

import { chmod, copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import anyTest, { type TestFn } from 'ava';
import { compile, parts } from './compile.js';
import { type Given, mounted } from './mounted.js';

interface Programs {
  readonly daemon: string;
  readonly program: string;
  /** The same for ThreadSanitizer; takes long to make, and few tests want it. */
  readonly threaded: () => Promise<string>;
}

const test = anyTest as TestFn<Programs>;

test.before(async (t) => {
  const host = await parts.host();
  let threaded: Promise<string> | undefined;
  t.context = {
    daemon: await compile({ name: 'fake-daemon', sources: parts.daemon, watch: 'none' }),
    program: await compile({ name: 'mount', sources: host, watch: 'address' }),
    threaded: () => (threaded ??= compile({ name: 'mount', sources: host, watch: 'thread' })),
  };
});

interface Reading {
  readonly title: string;
  readonly scenario: string;
  readonly fault?: string;
  readonly daemons?: number;
}

const readings: readonly Reading[] = [
  { title: 'a reader gets every file, and leaves nothing open', scenario: 'read' },
  { title: 'a reader gets every file after the host has forked into the background', scenario: 'fork' },
  { title: 'objects that were cut short are made anew before a reader gets them', scenario: 'cut' },
  { title: 'ten mounts that race start one daemon, and all are served', scenario: 'race' },
  { title: 'what is copied up carries its attributes and leaves nothing behind', scenario: 'copy-up' },
  { title: 'a directory that the host reads by itself is a real one', scenario: 'list' },
  { title: 'a daemon that is busy is waited for', scenario: 'read', fault: 'busy' },
  { title: 'a request that a dying worker gave back is asked again', scenario: 'read', fault: 'again' },
  { title: 'a daemon that dies over a request is replaced', scenario: 'read', fault: 'first-die', daemons: 2 },
  { title: 'a daemon that dies later is replaced', scenario: 'read', fault: 'first-die-later', daemons: 2 },
  { title: 'a daemon that dies in the background is replaced', scenario: 'fork', fault: 'first-die', daemons: 2 },
  { title: 'a daemon that dies over a mount is replaced', scenario: 'read', fault: 'first-die-on-open', daemons: 2 },
  { title: 'copy-up goes on with the next daemon', scenario: 'copy-up-later', fault: 'first-die-later', daemons: 2 },
  { title: 'a file that a worker cannot make is an input/output error', scenario: 'eio', fault: 'eio' },
  { title: 'a worker that always gives up ends in an error', scenario: 'eio', fault: 'always-again' },
  { title: 'a worker that publishes nothing ends in an error', scenario: 'eio', fault: 'lie' },
  { title: 'an answer that is no errno ends in an error', scenario: 'eio', fault: 'nonsense' },
];

for (const reading of readings) {
  test(reading.title, async (t) => {
    const outcome = await mounted(t.context, reading.scenario, { fault: reading.fault ?? '' });
    t.is(outcome.stderr, '');
    t.regex(outcome.stdout, /^checks [1-9]\d*\n$/);
    t.is(outcome.code, 0);
    t.is(outcome.daemons, reading.daemons ?? 1);
  });
}

test('daemons that die over every request end in an error', async (t) => {
  const outcome = await mounted(t.context, 'eio', { fault: 'die' });
  t.is(outcome.code, 0, outcome.stderr);
  t.true(outcome.daemons > 2 && outcome.daemons < 20);
});

test('a worker that never answers is waited for as long as CRFS_TIMEOUT says', async (t) => {
  const outcome = await mounted(t.context, 'timeout', { fault: 'silent', env: () => ({ CRFS_TIMEOUT: '1' }) });
  t.is(outcome.stderr, '');
  t.is(outcome.code, 0);
});

test('the longest CRFS_TIMEOUT that is told is taken', async (t) => {
  const outcome = await mounted(t.context, 'read', { env: () => ({ CRFS_TIMEOUT: '86400' }) });
  t.is(outcome.stderr, '');
  t.is(outcome.code, 0);
});

for (const fault of ['', 'first-die', 'first-die-later', 'again']) {
  test(`ThreadSanitizer sees no race between threads that read: ${fault || 'no fault'}`, async (t) => {
    const outcome = await mounted(t.context, 'threads', { fault, program: await t.context.threaded() });
    t.is(outcome.stderr, '');
    t.is(outcome.code, 0);
  });
}

interface Refusal extends Given {
  readonly title: string;
  readonly says: RegExp;
}

const refusals: readonly Refusal[] = [
  {
    title: 'a file that is not there',
    says: /nowhere: cannot open it: No such file.*; /,
    asked: (r) => `${r}/nowhere`,
  },
  { title: 'a directory', says: /not a regular file; /, asked: (r) => r },
  { title: 'a file URL of a host', says: /names no local file; /, asked: () => 'file://host/a' },
  { title: 'no text', says: /no base64 of a text; /, asked: () => '/a\0b' },
  { title: 'what the daemon refuses, on one line', says: /blob: no stargz\?layer$/m, fault: 'refuse' },
  { title: 'an answer to another question', says: /another question; /, fault: 'wrong-answer' },
  { title: 'an answer of a wrong length', says: /malformed; /, fault: 'bad-length' },
  { title: 'too few descriptors', says: /another question; /, fault: 'few-descriptors' },
  { title: 'too many descriptors', says: /malformed; /, fault: 'many-descriptors' },
  { title: 'a descriptor where none belongs', says: /another question; /, fault: 'busy-descriptor' },
  { title: 'an index of another layer', says: /another layer; /, fault: 'other-digest' },
  { title: 'a descriptor that is no index', says: /no index; /, fault: 'bad-index' },
  { title: 'daemons that die over it', says: /the daemon ended: its log tells why/, fault: 'die-on-open' },
  { title: 'a daemon that cannot start', says: /did not start: fake daemon: this one never starts/, fault: 'no-start' },
  { title: 'a daemon that is stuck', says: /said nothing for 15 s; /, fault: 'stuck' },
  {
    title: 'a daemon that is not there',
    says: /cannot run the daemon \/none \(No such file.*\); /,
    env: () => ({ CRFS_PLUGIN_DAEMON: '/none' }),
  },
];

for (const CRFS_TIMEOUT of ['0', '-1', '1.5', '10s', ' 1', '', '86401', '18446744073709551617']) {
  test(`a mount is refused, with one line that says why, for a CRFS_TIMEOUT of "${CRFS_TIMEOUT}"`, async (t) => {
    const outcome = await mounted(t.context, 'refused', { env: () => ({ CRFS_TIMEOUT }) });
    const must = 'it must be a whole number of seconds from 1 to 86400';
    t.is(outcome.stderr, `crfs: ${join(outcome.root, 'blob')}: CRFS_TIMEOUT is "${CRFS_TIMEOUT}"; ${must}\n`);
    t.is(outcome.code, 0);
    t.is(outcome.daemons, 0);
  });
}

for (const refusal of refusals) {
  test(`a mount is refused, with one line that says why, for ${refusal.title}`, async (t) => {
    const outcome = await mounted(t.context, 'refused', refusal);
    t.regex(outcome.stderr, /^crfs: [^\n]+\n$/);
    t.regex(outcome.stderr, refusal.says);
    t.is(outcome.code, 0);
  });
}

test('a daemon of another user is refused', async (t) => {
  if (process.geteuid?.() !== 0) {
    t.log('skipped: only root can run a daemon as another user');
    t.pass();
    return;
  }
  const outcome = await mounted(t.context, 'refused', { fault: 'foreign' });
  t.regex(outcome.stderr, /^crfs: \S+ the daemon belongs to user 65534, and this mount to user 0; .+\n$/);
  t.is(outcome.code, 0);
});

test('a cache directory that is open to others is refused', async (t) => {
  const shared = await mkdtemp(join(tmpdir(), 'crfs-shared-'));
  t.teardown(() => rm(shared, { recursive: true }));
  await mkdir(join(shared, 'crfs-plugin'));
  await chmod(join(shared, 'crfs-plugin'), 0o755);
  const outcome = await mounted(t.context, 'refused', { env: () => ({ XDG_CACHE_HOME: shared }) });
  t.regex(outcome.stderr, /^crfs: \S+ \S+\/crfs-plugin is not ours alone \(owner \d+, mode 755\); .+\n$/);
  t.is(outcome.daemons, 0);
  t.is(outcome.code, 0);
});

interface Place {
  readonly title: string;
  readonly plugin: string;
  readonly command: string;
}

const places: readonly Place[] = [
  { title: 'in a checkout', plugin: 'mount', command: 'bin/crfs' },
  { title: 'where it was installed', plugin: 'libexec/fuse-overlayfs/mount', command: 'lib/crfs-plugin/bin/crfs' },
];

for (const place of places) {
  test(`the plugin finds its daemon by itself ${place.title}`, async (t) => {
    const prefix = await mkdtemp(join(tmpdir(), 'crfs-prefix-'));
    t.teardown(() => rm(prefix, { recursive: true }));
    const program = join(prefix, place.plugin);
    const command = join(prefix, place.command);
    await mkdir(dirname(program), { recursive: true });
    await mkdir(dirname(command), { recursive: true });
    await copyFile(t.context.program, program);
    await copyFile(t.context.daemon, command);
    const outcome = await mounted(t.context, 'read', { program, env: () => ({ CRFS_PLUGIN_DAEMON: undefined }) });
    t.is(outcome.stderr, '');
    t.is(outcome.code, 0);
    t.is(outcome.daemons, 1);
  });
}
