// SPDX-License-Identifier: GPL-3.0-or-later

/** What token servers answer, what registries challenge with, and programs that keep credentials. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { Transport } from '../../src/main/http/transport.js';
import { openBlob } from '../../src/main/registry/blob-source.js';
import type { RegistryClient } from '../../src/main/registry/client.js';
import { fetchToken } from '../../src/main/registry/token.js';
import type { Reference } from '../../src/main/registry/types.js';
import { type Fault, type FaultProxy, type Seen, startFaultProxy } from '../tools/fault-proxy.js';
import { startRegistry } from '../tools/registry.js';
import { makeImage, pushImage } from '../tools/registry-image.js';
import { first, type Home, logIn, makeClient, makeHome, ref, rejects, registryTest as test } from './setting.js';

interface Setting {
  /** A registry that wants `authorization`, and serves tokens at `/token`. */
  readonly proxy: FaultProxy;
  readonly home: Home;
  readonly client: RegistryClient;
  readonly name: Reference;
}

interface Guard {
  /** The value of Authorization that is let in. */
  readonly wanted?: string;
  readonly challenge?: (host: string) => string;
  readonly token?: (seen: Seen) => Fault;
}

const bearer = (host: string): string => `Bearer realm="http://${host}/token",service="reg"`;

function json(value: unknown, status = 200): Fault {
  return { kind: 'status', status, body: JSON.stringify(value) };
}

async function setting(t: ExecutionContext, guard: Guard): Promise<Setting> {
  const registry = await startRegistry();
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(async () => {
    await proxy.close();
    await registry.stop();
  });
  await pushImage(await makeImage(1, 100_000), `${registry.host}/a/b:one`);
  const { wanted = 'Bearer tok', challenge = bearer, token = () => json({ token: 'tok' }) } = guard;
  proxy.fault = (seen) => {
    if (!seen.path.startsWith('/v2/')) return token(seen);
    const headers = { 'www-authenticate': challenge(proxy.host) };
    return seen.headers.authorization === wanted ? undefined : { kind: 'status', status: 401, headers };
  };
  const home = await makeHome(t);
  return { proxy, home, client: makeClient(t, home), name: ref(proxy.host, 'a/b', { tag: 'one' }) };
}

function redirected({ path }: Seen, status: number): Fault {
  const location = path.replace('token', 'other');
  return path.startsWith('/token') ? { kind: 'status', status, headers: { location } } : json({ token: 'tok' });
}

for (const status of [301, 302, 303, 307, 308]) {
  test(`a token server that redirects by ${status} is followed`, async (t) => {
    const { client, name } = await setting(t, { token: (seen) => redirected(seen, status) });
    t.is((await client.getManifest(name)).layers.length, 1);
  });
}

test('a refresh token is taken on by a redirect on its host, and to no other', async (t) => {
  const elsewhere = await startFaultProxy({ upstream: 'http://127.0.0.1:1' });
  t.teardown(async () => await elsewhere.close());
  elsewhere.fault = () => json({ token: 'tok' });
  let to = '/other';
  const token = ({ path }: Seen): Fault =>
    path.startsWith('/token') ? { kind: 'status', status: 307, headers: { location: to } } : json({ token: 'tok' });
  const { client, name, home, proxy } = await setting(t, { token });
  await logIn(home, proxy.host, { identitytoken: 'secret' });
  t.is((await client.getManifest(name)).layers.length, 1);
  to = `${elsewhere.url}/other`;
  const { message } = await rejects(t, 'CRFS_DENIED', async () => await makeClient(t, home).getManifest(name));
  t.false(message.includes('secret'));
  t.is(elsewhere.seen.length, 0);
});

for (const [what, answer] of [
  ['has an access_token alone, and its life as text', { access_token: 'tok', expires_in: '300' }],
  ['has an empty token beside an access_token', { token: '', access_token: 'tok', expires_in: 0, issued_at: null }],
  ['has a life that is null', { token: 'tok', expires_in: null }],
  ['has a life that is nonsense', { token: 'tok', expires_in: 'soon', issued_at: 'x' }],
  ['has a negative life', { token: 'tok', expires_in: -5 }],
  ['ends in a newline', { token: 'tok\n' }],
] as const) {
  test(`a token's answer that ${what} will do, once for several requests`, async (t) => {
    const { client, name, proxy } = await setting(t, { token: () => json(answer) });
    await client.getManifest(name);
    await client.getManifest(name);
    t.is(proxy.seen.filter(({ path }) => path.startsWith('/token')).length, 1);
  });
}

test('a token may come with status 201, and behind a byte order mark', async (t) => {
  const { client, name } = await setting(t, {
    token: () => ({ kind: 'status', status: 201, body: '\ufeff{"token":"tok"}' }),
  });
  t.is((await client.getManifest(name)).layers.length, 1);
});

for (const [what, challenge] of [
  [
    'without quotes',
    (host: string) => `Bearer realm="http://${host}/token", service=reg , scope="repository:a/b:pull"`,
  ],
  ['beside Basic', (host: string) => `Basic realm="x", ${bearer(host)}`],
  ['behind schemes that nobody knows', (host: string) => `Negotiate, NTLM abc==, ${bearer(host)}`],
  ['whose realm has a query', (host: string) => `bearer realm="http://${host}/token?a=b&c=d",service="reg"`],
  ['with a scope of its own', (host: string) => `${bearer(host)},scope="repository:a/b:pull registry:x:*",error="x"`],
] as const) {
  test(`a challenge ${what} is understood`, async (t) => {
    const { client, name, proxy } = await setting(t, { challenge });
    t.is((await client.getManifest(name)).layers.length, 1);
    const asked = new URL(proxy.seen.find(({ path }) => path.startsWith('/token'))?.path ?? '', proxy.url).searchParams;
    t.true(asked.getAll('scope').includes('repository:a/b:pull'));
    t.is(asked.get('service'), 'reg');
  });
}

test('a scope that the registry names beyond ours is asked for as well, and one within ours is not', async (t) => {
  const scopes = 'repository:a/b:pull,delete repository:c/d:pull repository:a/b:pull';
  const { client, name, proxy } = await setting(t, { challenge: (host) => `${bearer(host)},scope="${scopes}"` });
  await client.getManifest(name);
  const asked = new URL(proxy.seen.find(({ path }) => path.startsWith('/token'))?.path ?? '', proxy.url).searchParams;
  t.deepEqual(asked.getAll('scope'), ['repository:a/b:pull', 'repository:a/b:pull,delete', 'repository:c/d:pull']);
});

for (const [life, usable] of [
  [5, 4],
  [1000, 990],
] as const) {
  test(`a token that lives for ${life} s is used for ${usable}`, async (t) => {
    const { proxy } = await setting(t, { token: () => json({ token: 'tok', expires_in: life }) });
    const transport = new Transport();
    t.teardown(() => transport.close());
    const began = performance.now();
    const token = await fetchToken(transport, { method: 'GET', url: new URL(`${proxy.url}/token`) }, 'reg');
    const ended = performance.now();
    t.is(token.value, 'tok');
    t.true(
      token.expires >= began + usable * 1000 && token.expires <= ended + usable * 1000,
      `${token.expires - began}`,
    );
  });
}

for (const [what, answer, told] of [
  ['refuses', json({ details: 'bad\u0007 password' }, 401), /answered 401: bad +password/],
  ['refuses in its own way', json({ error: 'invalid_grant', error_description: 'go' }, 400), /400: invalid_grant go$/],
  ['says nothing usable', json({ token: 5 }), /the answer of the token server \S+: must be an object with a token$/],
  ['sends a page', { kind: 'status', status: 200, body: '<html>' }, /the answer of the token server \S+: is not JSON$/],
] as const) {
  test(`a token server that ${what} is shown, and asked again by the next request`, async (t) => {
    let isBroken = true;
    const { client, name } = await setting(t, { token: () => (isBroken ? answer : json({ token: 'tok' })) });
    const error = await t.throwsAsync(async () => await client.getManifest(name));
    t.regex(error?.message ?? '', told);
    isBroken = false;
    t.is((await client.getManifest(name)).layers.length, 1);
  });
}

/** A helper that notes each run and prints what a file says. */
async function helper(home: Home, name = 'test'): Promise<() => Promise<number>> {
  const runs = join(home.path, `runs-${name}`);
  const script = `#!/bin/sh\ncat >/dev/null\necho x >>${runs}\ncat ${home.path}/answer\n`;
  await home.write(`bin/docker-credential-${name}`, script);
  return async () => (await readFile(runs, 'utf8').catch(() => '')).split('\n').length - 1;
}

function basic(secret: string): string {
  return `Basic ${Buffer.from(`AWS:${secret}`).toString('base64')}`;
}

function forNew({ headers }: Seen): Fault {
  return headers.authorization === basic('new') ? json({ token: 'tok' }) : json({ details: 'expired' }, 401);
}

function forNobody({ headers }: Seen): Fault {
  return headers.authorization === undefined ? json({ token: 'tok' }) : json({}, 401);
}

for (const realm of ['file:///etc/passwd', 'urn:x', '/token', 'https://', '']) {
  test(`a token server at ${JSON.stringify(realm)} is refused in a line that says why`, async (t) => {
    const { client, name } = await setting(t, { challenge: () => `Bearer realm="${realm}",service="reg"` });
    const { message } = await rejects(t, 'CRFS_DENIED', async () => await client.getManifest(name));
    const why = 'names a token server that may not be asked: it is no https:// or http:// URL';
    t.is(message, `${name.registry} ${why}`);
  });
}

const BASIC: Guard = { wanted: basic('pw'), challenge: () => 'Basic realm="x",service="ecr"' };

test('a credential helper is run once for many requests, and again once what it said is refused', async (t) => {
  const { client, name, home, proxy } = await setting(t, BASIC);
  const runs = await helper(home);
  await home.write('answer', '{"Username":"AWS","Secret":"pw"}');
  await logIn(home, 'other');
  await home.write('.docker/config.json', JSON.stringify({ credHelpers: { [proxy.host]: 'test' } }));
  const layer = first((await client.getManifest(name)).layers);
  const source = await openBlob(client, name, layer);
  await Promise.all([0, 1, 2, 3].map(async (at) => await source.read(at * 1000, 1000)));
  t.is(await runs(), 1);
  await home.write('answer', '{"Username":"AWS","Secret":"new"}');
  const old = proxy.fault;
  proxy.fault = (seen) =>
    seen.headers.authorization === basic('new') ? undefined : (old(seen) ?? { kind: 'status', status: 401 });
  await source.read(5000, 10);
  t.is(await runs(), 2);
  await source.read(6000, 10);
  t.is(await runs(), 2);
});

test('credentials of a helper that a token server refuses are asked for anew', async (t) => {
  const { client, name, home, proxy } = await setting(t, { token: forNew });
  const runs = await helper(home);
  await home.write('.docker/config.json', JSON.stringify({ credHelpers: { [proxy.host]: 'test' } }));
  await home.write('answer', '{"Username":"AWS","Secret":"old"}');
  await rejects(t, 'CRFS_DENIED', async () => await client.getManifest(name));
  await home.write('answer', '{"Username":"AWS","Secret":"new"}');
  t.is((await client.getManifest(name)).layers.length, 1);
  t.true((await runs()) <= 3);
});

for (const [what, store, answer] of [
  ['answers with empty names', 'test', '{"ServerURL":"","Username":"","Secret":""}'],
  ['is not installed', 'absent', ''],
  ['fails', 'test', 'no credentials server URL'],
] as const) {
  test(`where the store of all credentials ${what}, what is public is read`, async (t) => {
    const { client, name, home } = await setting(t, { token: forNobody });
    await helper(home);
    await home.write('answer', answer);
    await home.write('.docker/config.json', JSON.stringify({ auths: {}, credsStore: store }));
    t.is((await client.getManifest(name)).layers.length, 1);
  });
}

for (const [what, guard] of [
  ['a registry', BASIC],
  ['a token server', { token: () => json({}, 401) }],
  ['a registry, in spite of a token,', { token: () => json({ token: 'anonymous' }) }],
] as const) {
  test(`a store that is not installed is named where ${what} refuses`, async (t) => {
    const { client, name, home } = await setting(t, guard);
    await home.write('.docker/config.json', JSON.stringify({ credsStore: 'absent' }));
    const { message } = await rejects(t, 'CRFS_DENIED', async () => await client.getManifest(name));
    t.regex(message, /docker-credential-absent is not installed$/);
  });
}
