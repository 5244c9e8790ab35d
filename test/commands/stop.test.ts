// SPDX-License-Identifier: GPL-3.0-or-later

/** `crfs stop` waits for the daemon that it has asked, and for no other. */

import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import test from 'ava';
import { invoke, makeMachine } from './setting.js';

test('stop ends when another daemon answers than the one that was asked to end', async (t) => {
  const machine = makeMachine(t);
  mkdirSync(join(machine.directory('cache'), 'crfs-plugin'), { mode: 0o700 });
  let [pid, asked] = [1, 0];
  // two daemons, one right after the other: no moment is between them
  const daemons = createServer(({ method, url }, response) => {
    if (`${method} ${url}` === 'POST /stop') {
      response.end(String(pid++));
      asked++;
    } else response.end(JSON.stringify({ pid }));
  });
  t.teardown(() => daemons.close());
  daemons.listen(join(machine.root, 'cache/crfs-plugin/api.sock'));
  await once(daemons, 'listening');
  t.deepEqual(await invoke(machine, ['stop']), { code: 0, stdout: 'The daemon has ended.\n', stderr: '' });
  t.is(asked, 1);
});
