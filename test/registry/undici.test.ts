// SPDX-License-Identifier: GPL-3.0-or-later

/** undici is loaded by private paths: an update may move what is there. */

import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import undici from 'undici';
import { type HttpResponse, Transport } from '../../src/main/http/transport.js';
import { listen } from '../tools/local-server.js';
import { run } from '../tools/run.js';

const part = new URL('../../src/main/http/undici.js', import.meta.url).href;
const moved = 'undici has moved what src/main/http/undici.ts loads by private paths: compare those with its index.js';

function methodsOf(prototype: object): string[] {
  const names = new Set<string>();
  for (let at = prototype; at !== Object.prototype; at = Object.getPrototypeOf(at) as object) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  }
  return [...names].sort();
}

test('the part of undici that is loaded is what the whole has', async (t) => {
  const loaded = (await import(part).catch((error: Error) => {
    throw new Error(moved, { cause: error });
  })) as Record<string, unknown>;
  for (const name of ['Client', 'Agent', 'ProxyAgent'] as const) t.is(loaded[name], undici[name], `${moved} (${name})`);
});

test('the part of undici has the methods of the whole, also where the whole is not loaded', async (t) => {
  const program = `
    ${methodsOf.toString()}
    const loaded = await import(${JSON.stringify(part)});
    const names = ['Client', 'Agent', 'ProxyAgent'];
    console.log(JSON.stringify(names.map((name) => methodsOf(loaded[name].prototype))));`;
  const printed = await run(process.execPath, ['--input-type=module', '--eval', program]);
  const whole = [undici.Client, undici.Agent, undici.ProxyAgent].map(({ prototype }) => methodsOf(prototype));
  t.deepEqual(JSON.parse(printed.toString()), whole, moved);
});

test('what is installed never loads HTTP/2, which undici asks for and we do not speak', (t) => {
  const bundle = fileURLToPath(new URL('../../bundle/main/shared', import.meta.url));
  const files = readdirSync(bundle).map((name) => readFileSync(join(bundle, name), 'utf8'));
  t.true(
    files.some((text) => text.includes('lib/dispatcher/client-h2.js')),
    moved,
  );
  t.false(files.some((text) => text.includes('node:http2')));
});

/** As much as undici keeps for a reader: its parser is paused at the last byte. */
const BODY = 'x'.repeat(64 << 10);
const LENGTH = `Content-Length: ${BODY.length}`;
const ANSWERS = ['Connection: close', `Connection: close\r\n${LENGTH}`, LENGTH];

/** What is asked of a server that answers so, and hangs up; it has done so. */
async function answered(t: ExecutionContext, headers: string): Promise<HttpResponse> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined).on('close', () => server.emit('hung up'));
    socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\n${headers}\r\n\r\n${BODY}`));
  });
  const transport = new Transport();
  t.teardown(async () => {
    await transport.close();
    server.close();
  });
  const url = new URL(`http://${await listen(server)}/`);
  const hungUp = once(server, 'hung up');
  const answer = await transport.send({ method: 'GET', url });
  await hungUp;
  return answer;
}

for (const headers of ANSWERS) {
  test(`a server may hang up before its answer is read: ${headers.replace('\r\n', ', ')}`, async (t) => {
    t.is(Buffer.from(await (await answered(t, headers)).bytes(BODY.length)).toString(), BODY);
  });
}

test('an answer that a server has cut short before it is read is none', async (t) => {
  const answer = await answered(t, `Connection: close\r\nContent-Length: ${BODY.length + 1}`);
  await t.throwsAsync(answer.bytes(BODY.length + 1), { code: 'CRFS_UNREACHABLE' });
});
