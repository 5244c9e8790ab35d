// SPDX-License-Identifier: GPL-3.0-or-later

import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest, { type ExecutionContext } from 'ava';
import { askDaemon } from '../../src/main/daemon/ask.js';
import { API_SOCKET } from '../../src/main/daemon/socket-directory.js';

const test = anyTest.serial; // the environment is the process's

/** Something that listens where the daemon would. */
async function listen(
  t: ExecutionContext,
  answer: (response: ServerResponse, request: IncomingMessage) => void,
): Promise<Server> {
  const path = mkdtempSync(join(tmpdir(), 'crfs-ask-'));
  process.env['XDG_CACHE_HOME'] = path;
  mkdirSync(join(path, 'crfs-plugin'), { mode: 0o700 });
  const server = createServer((request, response) => answer(response, request));
  server.listen(join(path, 'crfs-plugin', API_SOCKET));
  await once(server, 'listening');
  t.teardown(async () => {
    server.close();
    server.closeAllConnections();
    rmSync(path, { recursive: true });
  });
  return server;
}

test('a daemon that ends before it has answered is none, once it has gone', async (t) => {
  const server = await listen(t, (response) => {
    server.close(); // which takes its socket away
    response.destroy();
  });
  t.is(await askDaemon('GET', '/status'), undefined);
});

test('who asked a daemon that has ended gets the answer of the next one', async (t) => {
  let asked = 0;
  await listen(t, (response) => {
    if (asked++ === 0) response.destroy();
    else response.end('the next');
  });
  t.is(await askDaemon('GET', '/status'), 'the next');
});

test('a daemon that answers nobody is told of, not asked for ever', async (t) => {
  let asked = 0;
  await listen(t, (response) => {
    asked++;
    response.destroy();
  });
  await t.throwsAsync(async () => await askDaemon('POST', '/stop'), { code: 'CRFS_UNREACHABLE' });
  t.is(asked, 3);
});
