// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import test from 'ava';
import { type Addon, addon } from '../../src/native/addon.js';
import { Board } from '../../src/workers/board/board.js';
import serve from '../../src/workers/serve/serve-worker.js';

test('what is published while a worker looks for work in vain is not slept through', async (t) => {
  const place = await mkdtemp(join(tmpdir(), 'crfs-doorbell-'));
  const honest = { ...addon };
  const functions = addon as { -readonly [Name in keyof Addon]: Addon[Name] };
  t.teardown(async () => {
    Object.assign(functions, honest);
    await rm(place, { recursive: true });
  });
  const board = new Board(1);
  const waits: { readonly count: number; readonly rung: number }[] = [];
  functions.take = (out, demandOnly) => {
    const taken = honest.take(out, demandOnly);
    addon.doorbellRing(1); // a mount publishes right behind the look
    return taken;
  };
  functions.doorbellWait = (count) => {
    waits.push({ count, rung: addon.doorbellCount() });
    board.stop();
  };
  await serve({
    worker: 0,
    workers: 1,
    board: board.buffer,
    port: new MessageChannel().port1,
    engine: 'libdeflate',
    directories: { objects: place, drafts: place, tmp: place },
    readahead: 0,
  });
  t.is(waits.length, 1);
  t.true(waits.every(({ count, rung }) => count !== rung)); // so the wait ends at once
});
