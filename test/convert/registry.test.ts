// SPDX-License-Identifier: GPL-3.0-or-later

import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { RegistryClient } from '../../src/main/registry/client.js';
import { logIn, makeClient, makeHome, rejects, registryTest as test } from '../registry/setting.js';
import { noise } from '../tools/content.js';
import { type FaultProxy, startFaultProxy } from '../tools/fault-proxy.js';
import { PASSWORD, startRegistry, USER } from '../tools/registry.js';
import { run } from '../tools/run.js';
import { checkImage, convertImageBetween } from './image-setting.js';
import { Layout } from './layout.js';
import { scratch } from './setting.js';

interface Setting {
  readonly directory: string;
  readonly proxy: FaultProxy;
  readonly client: RegistryClient;
}

/** An image in a layout, `from:one`, and an empty registry that asks for a password. */
async function setting(t: ExecutionContext): Promise<Setting> {
  const directory = scratch(t);
  const from = new Layout(join(directory, 'from'));
  const base = [{ name: 'noise', content: noise(700_000) }];
  from.index({ one: from.image([base, [{ name: 'a', content: 'a' }]]) });
  const registry = await startRegistry({ auth: 'basic' });
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(async () => {
    await proxy.close();
    await registry.stop();
  });
  const home = await makeHome(t);
  await logIn(home, proxy.host);
  return { directory, proxy, client: makeClient(t, home) };
}

/** The image as skopeo pulls it. */
async function pulled({ directory, proxy }: Setting, name: string): Promise<Layout> {
  const to = join(directory, 'pulled');
  const login = `--src-creds=${USER}:${PASSWORD}`;
  await run('skopeo', ['copy', '--src-tls-verify=false', login, `docker://${proxy.host}/${name}`, `oci:${to}:it`]);
  return new Layout(to);
}

test('an image goes from a layout to a registry, and skopeo pulls it', async (t) => {
  const all = await setting(t);
  const { directory, proxy, client } = all;
  await convertImageBetween(`oci:${directory}/from`, `docker://${proxy.host}/my/app:stargz`, {}, client);
  const layout = await pulled(all, 'my/app:stargz');
  checkImage(t, layout, layout.manifest('it'));
});

test('from registry to registry: the same blob as from anywhere else', async (t) => {
  const { directory, proxy, client } = await setting(t);
  const login = `--dest-creds=${USER}:${PASSWORD}`;
  const plain = `${proxy.host}/plain/app:1`;
  await run('skopeo', ['copy', '--dest-tls-verify=false', login, `oci:${directory}/from:one`, `docker://${plain}`]);
  const remote = await convertImageBetween(plain, `${proxy.host}/my/app:stargz`, {}, client);
  const local = await convertImageBetween(`oci:${directory}/from`, `oci:${directory}/to`);
  t.deepEqual(
    remote.layers.map(({ digest }) => digest),
    local.layers.map(({ digest }) => digest),
  );
});

test('layers that skopeo has pushed as zstd:chunked become the same as others', async (t) => {
  const { directory, proxy, client } = await setting(t);
  const name = `${proxy.host}/chunked/app:1`;
  const options = ['--dest-tls-verify=false', `--dest-creds=${USER}:${PASSWORD}`];
  const format = ['--dest-compress-format', 'zstd:chunked'];
  await run('skopeo', ['copy', ...options, ...format, `oci:${directory}/from:one`, `docker://${name}`]);
  const chunked = await convertImageBetween(name, `oci:${directory}/to`, {}, client);
  const plain = await convertImageBetween(`oci:${directory}/from`, `oci:${directory}/plain`);
  t.deepEqual(
    chunked.layers.map(({ digest }) => digest),
    plain.layers.map(({ digest }) => digest),
  );
});

test('layers that are eStargz already are mounted from the repository beside, not sent', async (t) => {
  const { directory, proxy, client } = await setting(t);
  await convertImageBetween(`oci:${directory}/from`, `${proxy.host}/first/app:1`, {}, client);
  proxy.reset();
  await convertImageBetween(`${proxy.host}/first/app:1`, `${proxy.host}/second/app:1`, {}, client);
  t.false(proxy.seen.some(({ method }) => method === 'PATCH'));
  t.true(proxy.received < 10_000);
});

test('a connection that breaks within an upload does not end a conversion', async (t) => {
  const all = await setting(t);
  const { directory, proxy, client } = all;
  let broken = 0;
  proxy.fault = ({ method }) => {
    const breaks = (method === 'PUT' || method === 'PATCH') && broken++ < 2;
    return breaks ? { kind: 'cut-upload', after: 300_000 } : undefined;
  };
  await convertImageBetween(`oci:${directory}/from`, `${proxy.host}/my/app:stargz`, {}, client);
  t.true(broken > 2);
  proxy.fault = () => undefined;
  const layout = await pulled(all, 'my/app:stargz');
  checkImage(t, layout, layout.manifest('it'));
});

test('without the right to write, nothing is written', async (t) => {
  const { directory, proxy } = await setting(t);
  const stranger = makeClient(t, await makeHome(t));
  const to = `${proxy.host}/my/app:stargz`;
  await rejects(t, 'CRFS_DENIED', () => convertImageBetween(`oci:${directory}/from`, to, {}, stranger));
});

test('an image that is not there is named', async (t) => {
  const { directory, proxy, client } = await setting(t);
  const from = `${proxy.host}/no/app:1`;
  const error = await rejects(t, 'CRFS_NOT_FOUND', () => convertImageBetween(from, `oci:${directory}/to`, {}, client));
  t.regex(error.message, /no\/app:1/);
});
