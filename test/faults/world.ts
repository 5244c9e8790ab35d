// SPDX-License-Identifier: GPL-3.0-or-later

/** What the fault tests share: a layer whose content is known, readers that check every byte, and what may not be left. */

import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { addon } from '../../src/native/addon.js';
import { isAlive } from '../tools/alive.js';
import { makeLayer } from '../tools/layers.js';
import { type Machine, until } from '../tools/machine.js';
import { run } from '../tools/run.js';

export const READERS = 16;

const hooks = new URL('daemon-hooks.js', import.meta.url).href;

/** What loads a fault of daemon-hooks.ts into the daemon of a machine. */
export function faulty(fault: string, file = ''): Record<string, string> {
  return { NODE_OPTIONS: `--import ${hooks}`, FAULT: fault, FAULT_FILE: file };
}

/** How often a fault is forced: a few times in CI, many in the long form (CRFS_TEST_LONG=1). */
export function times(few: number, many: number): number {
  return process.env['CRFS_TEST_LONG'] ? many : few;
}

export interface Known {
  readonly layer: string;
  /** sha256 by path. */
  readonly digests: ReadonlyMap<string, string>;
}

/** A layer of small files, and of some of many chunks, which several workers fill together. */
export async function knownLayer(machine: Machine, { small = 160, large = 4, name = 'known' } = {}): Promise<Known> {
  const tree = machine.directory(name);
  const digests = new Map<string, string>();
  const write = (path: string, content: Uint8Array): void => {
    writeFileSync(join(tree, path), content);
    digests.set(path, createHash('sha256').update(content).digest('hex'));
  };
  for (let n = 0; n < small; n++) {
    const directory = `d${n % 10}`;
    mkdirSync(join(tree, directory), { recursive: true });
    write(`${directory}/small-${n}`, randomBytes(1 + ((n * 977) % 60_000)));
  }
  for (let n = 0; n < large; n++) {
    write(`large-${n}`, Buffer.concat([randomBytes(900_000), Buffer.alloc(1_200_000, n), randomBytes(900_000)]));
  }
  const tar = `${tree}.tar`;
  await run('tar', ['-C', tree, '--sort=name', '-cf', tar, '.']);
  return { layer: await makeLayer(tar, { chunkSize: 300_000 }), digests };
}

export interface Reading {
  /** Files that could not be read, and why. */
  readonly failed: string[];
  /** Files that were read, and wrong: there may never be one. */
  readonly wrong: string[];
}

/** Has 16 processes read all files at the same time, each in an order of its own, and begin one by one. Resolves when all have ended. */
export async function readAll(merged: string, { digests }: Known, readers = READERS): Promise<Reading> {
  const reading: Reading = { failed: [], wrong: [] };
  const paths = [...digests.keys()];
  await Promise.all(
    Array.from({ length: readers }, async (_, reader) => {
      for (let n = 0; n < reader; n++) await turn(); // to start a process takes a while, in which nothing else is done here
      const start = Math.floor((reader * paths.length) / readers);
      const order = [...paths.slice(start), ...paths.slice(0, start)];
      const script = 'sha256sum "$@" 2>&1 || true';
      const output = await run('sh', ['-c', script, 'reader', ...order], { cwd: merged });
      for (const line of output.toString().trim().split('\n')) {
        const [, digest, path] = /^([0-9a-f]{64}) [ *](.*)$/.exec(line) ?? [];
        if (digest === undefined) reading.failed.push(line);
        else if (digests.get(path ?? '') !== digest) reading.wrong.push(line);
      }
    }),
  );
  return reading;
}

/** Empties the cache of contents, so that everything has to be filled anew. */
export function dropObjects(machine: Machine): void {
  removeFiles(machine.objects);
}

/** Takes their names from all files that are half filled. */
export function dropDrafts(machine: Machine): void {
  removeFiles(join(machine.objects, '../drafts'));
}

function removeFiles(directory: string): void {
  for (const two of readdirSync(directory)) {
    for (const name of readdirSync(join(directory, two))) rmSync(join(directory, two, name), { force: true });
  }
}

export function objectsOf(machine: Machine): string[] {
  return readdirSync(machine.objects).flatMap((two) =>
    readdirSync(join(machine.objects, two)).map((name) => join(machine.objects, two, name)),
  );
}

/** All files of the cache but drafts, by their paths below its root. */
export function cached(machine: Machine): string[] {
  return ['objects', 'index', 'records', 'blobs', 'manifests'].flatMap((kind) => {
    const top = join(machine.objects, '..', kind);
    const entries = readdirSync(top, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return entries.map(({ parentPath, name }) => join(kind, parentPath.slice(top.length + 1), name));
  });
}

/** Makes all files of the cache look as if nobody had used them for an hour. */
export async function age(machine: Machine): Promise<void> {
  const paths = cached(machine).map((path) => join(machine.objects, '..', path));
  await run('touch', ['-d', '1 hour ago', ...paths]);
}

/** Names of drafts and the like, but for what mounts stage in directories of their own. */
export function temporaries(machine: Machine): string[] {
  const entries = readdirSync(join(machine.objects, '../tmp'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && !entry.parentPath.includes('/tmp/mount-')).map(({ name }) => name);
}

/** What the descriptors of a process stand for. */
export function descriptors(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return []; // closed since
    }
  });
}

export async function gone(pid: number): Promise<void> {
  await until(`process ${pid} is gone`, () => !isAlive(pid));
}

/** The daemon of a machine. */
export async function daemonOf(machine: Machine): Promise<number> {
  const status = await machine.status();
  if (status === null) throw new Error('no daemon runs');
  return status.pid;
}

/** The daemon that became ready last, as its log tells: a look that costs nothing. */
export function newestDaemon(machine: Machine): number {
  return Number([...machine.log.matchAll(/"pid":(\d+).*the daemon is ready/g)].at(-1)?.[1]);
}

/**
 * Kills the daemon, up to three times, while what `read` begins goes on: when the cache holds some objects more than before, or
 * than after the last kill, `share` at the most. Tells `killed` which, and resolves with what `read` does.
 */
export async function killDaemons<T>(
  machine: Machine,
  killed: Set<number>,
  share: number,
  read: () => Promise<T>,
): Promise<T> {
  const soon = (): number => objectsOf(machine).length + Math.floor(Math.random() * share);
  const state = { ended: false };
  const end = (): void => {
    state.ended = true;
  };
  let enough = soon();
  const reading = read();
  reading.then(end, end);
  for (let kills = 0; !state.ended && kills < 3; await sleep(5)) {
    const daemon = newestDaemon(machine);
    if (killed.has(daemon) || objectsOf(machine).length <= enough) continue; // nobody has needed another one yet
    process.kill(daemon, 'SIGKILL');
    killed.add(daemon);
    kills++;
    enough = soon();
  }
  return await reading;
}

/** Writes nonsense over bytes of a blob, at each of these places. */
export function damage(path: string, ...places: readonly number[]): void {
  const fd = openSync(path, 'r+');
  for (const place of places) writeSync(fd, Buffer.alloc(2000, 0xee), 0, 2000, place);
  closeSync(fd);
}

/** The daemons of a machine, whether they serve or wait. */
export function daemonsOf(machine: Machine): number[] {
  const ours = `XDG_CONFIG_HOME=${machine.env['XDG_CONFIG_HOME']}\0`;
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
        return command.includes('\0daemon\0') && readFileSync(`/proc/${pid}/environ`, 'latin1').includes(ours);
      } catch {
        return false; // it has ended, or is no process
      }
    });
}

/** Takes the lock of a machine's daemon, as one would that never serves. Resolves to what lets it go. */
export async function heldLock(machine: Machine): Promise<() => void> {
  const fd = openSync(join(machine.root, 'cache/crfs-plugin/daemon.lock'), 'r');
  await until('the last daemon has let go of the lock', () => addon.lock(fd));
  return () => closeSync(fd);
}

const CONNECT = `
  for (1..$ARGV[1]) {
    my $s;
    socket($s, AF_UNIX, SOCK_SEQPACKET, 0) or die;
    connect($s, pack_sockaddr_un($ARGV[0])) or die;
    push @held, $s;
  }
  $| = 1;
  print "held\n";
  <STDIN>;`;

/** Connects to a daemon so many times, without a word. Resolves to what lets all of that go. */
export async function holdConnections(socket: string, count: number): Promise<() => Promise<void>> {
  const holder = spawn('perl', ['-MSocket', '-e', CONNECT, socket, String(count)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  return async () => {
    holder.stdin.end();
    if (holder.exitCode === null) await once(holder, 'exit');
  };
}
