// SPDX-License-Identifier: GPL-3.0-or-later

/** Signals to who waits for a chunk: those that end a process end its read; of others no read of a file may tell. */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { ExecutionContext } from 'ava';
import { cc } from '../tools/cc.js';
import { noise } from '../tools/content.js';
import { Gate } from '../tools/gate.js';
import { byDriver, mountingTest, until, whyNoMounts } from '../tools/machine.js';
import { missing } from '../tools/registry.js';
import { MIB, onlyThese, remoteLayer } from '../tools/remote-layer.js';

const mounting = mountingTest(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

type Reader = ChildProcessByStdio<null, Readable, null>;
type Start = (file: string, offset: number) => Reader;

/** Starts readers of a mount, which are ended with the test. */
async function starting(t: ExecutionContext, program: string, merged: string): Promise<Start> {
  await cc('test/mount/signalled.c', program);
  return (file, offset) => {
    const reader = spawn(program, [join(merged, file), String(offset)], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.teardown(() => reader.kill('SIGKILL'));
    return reader;
  };
}

mounting(
  'a signal that ends a reader ends its read, and one that it handles does not',
  byDriver('overlay', async (t) => {
    const files = { read: noise(3 * MIB, 1), other: noise(3 * MIB, 2), first: noise(3 * MIB, 3) };
    const { machine, proxy, mount } = await remoteLayer(t, files);
    const start = await starting(t, join(machine.root, 'signalled'), mount.merged);
    t.true((await readFile(join(mount.merged, 'first'))).equals(files.first));
    const gate = new Gate();
    t.teardown(() => gate.open());
    proxy.fault = onlyThese(gate);

    const reader = start('read', MIB);
    const ended = once(reader, 'close') as Promise<[number | null, string | null]>;
    const bytes = buffer(reader.stdout);
    await until('its chunk is asked for', () => gate.arrivals === 1);
    reader.kill('SIGUSR1');
    // The server looks at all who wait equally often: once it has let these go, it has looked at that one.
    for (const count of [2, 3, 4]) {
      const killed = start('other', (count - 2) * MIB);
      await until('another chunk is asked for', () => gate.arrivals === count);
      killed.kill('SIGTERM');
      t.deepEqual(await once(killed, 'close'), [null, 'SIGTERM']);
    }
    gate.open();

    t.deepEqual(await ended, [0, null]);
    t.true((await bytes).equals(files.read.subarray(MIB, MIB + 4096)));
  }),
);
