// SPDX-License-Identifier: GPL-3.0-or-later

import { symlink } from 'node:fs/promises';
import test from 'ava';
import { candidates, pullEndpoints } from '../../src/main/registry/endpoints.js';
import { formatReference } from '../../src/main/registry/reference.js';
import { RegistriesFiles } from '../../src/main/registry/registries-conf.js';
import { makeHome, ref, rejects } from './setting.js';

const SYSTEM = 'etc/containers/registries.conf';
const RECORDED = '.cache/containers/short-name-aliases.conf';

test('version 1 lists registries to search, insecure ones and blocked ones', async (t) => {
  const home = await makeHome(t);
  const lists = {
    search: ['one.com', 'docker.io'],
    insecure: ['plain.com:5000'],
    block: ['bad.com', 'plain.com:6000'],
  };
  const text = Object.entries(lists).map(
    ([name, hosts]) => `[registries.${name}]\nregistries = ${JSON.stringify(hosts)}`,
  );
  await home.write(SYSTEM, text.join('\n'));
  const conf = await new RegistriesFiles(home.environment).load();
  t.deepEqual(candidates('tool', conf).map(formatReference), [
    'docker://one.com/tool:latest',
    'docker://docker.io/library/tool:latest',
  ]);
  t.deepEqual(pullEndpoints(ref('plain.com:5000', 'a'), conf), [
    { registry: 'plain.com:5000', repository: 'a', insecure: true },
  ]);
  t.is(t.throws(() => pullEndpoints(ref('bad.com', 'a'), conf))?.message.includes('blocks bad.com'), true);
});

test('empty lists of version 1 do not stand in the way of version 2', async (t) => {
  const home = await makeHome(t);
  await home.write(SYSTEM, 'unqualified-search-registries = ["x.com"]\n[registries.insecure]\nregistries = []');
  t.deepEqual((await new RegistriesFiles(home.environment).load()).search, ['x.com']);
});

test('a drop-in file has version 2, and is refused by its name where it has not', async (t) => {
  const home = await makeHome(t);
  const path = await home.write(`${SYSTEM}.d/10.conf`, '[registries.search]\nregistries = ["x.com"]');
  const files = new RegistriesFiles(home.environment);
  t.true((await rejects(t, 'CRFS_USAGE', () => files.load())).message.startsWith(path));
});

test('drop-in files of the system apply beside those of a user, but not beside a file of that user', async (t) => {
  const home = await makeHome(t);
  await home.write(`${SYSTEM}.d/10.conf`, '[aliases]\n"a" = "system.com/a"\n"b" = "system.com/b"');
  await home.write('.config/containers/registries.conf.d/20.conf', '[aliases]\n"b" = "user.com/b"');
  const files = new RegistriesFiles(home.environment);
  t.deepEqual([...(await files.load()).aliases.values()], ['system.com/a', 'user.com/b']);
  await home.write('.config/containers/registries.conf', '');
  t.deepEqual([...(await files.load()).aliases.values()], ['user.com/b']);
});

test('what podman has recorded of a short name comes before all configuration', async (t) => {
  const home = await makeHome(t);
  home.env['_CONTAINERS_ROOTLESS_UID'] = '1000';
  await home.write(
    SYSTEM,
    'unqualified-search-registries = ["x.com"]\n[aliases]\n"a" = "conf.com/a"\n"b" = "conf.com/b"',
  );
  await home.write(RECORDED, '[aliases]\n"a" = "recorded.com/a"\n"b" = ""');
  const conf = await new RegistriesFiles(home.environment).load();
  t.deepEqual(candidates('a:1', conf).map(formatReference), ['docker://recorded.com/a:1']);
  t.deepEqual(candidates('b', conf).map(formatReference), ['docker://x.com/b:latest']);
});

test("root's record of short names is the machine's, an ordinary user's is in its cache", async (t) => {
  const home = await makeHome(t);
  await home.write('var-cache/containers/short-name-aliases.conf', '[aliases]\n"a" = "root.com/a"');
  await home.write(RECORDED, '[aliases]\n"a" = "user.com/a"');
  await home.write('other/containers/short-name-aliases.conf', '[aliases]\n"a" = "other.com/a"');
  const files = new RegistriesFiles(home.environment);
  for (const [uid, cache, expected] of [
    ['0', '', 'root.com/a'],
    ['1000', '', 'user.com/a'],
    ['1000', `${home.path}/other`, 'other.com/a'],
  ] as const) {
    home.env['_CONTAINERS_ROOTLESS_UID'] = uid;
    home.env['XDG_CACHE_HOME'] = cache;
    t.is((await files.load()).aliases.get('a'), expected);
  }
});

test('a record of short names that cannot be read is none', async (t) => {
  const home = await makeHome(t);
  const path = await home.write('var-cache/containers/other', '');
  await symlink('short-name-aliases.conf', path.replace(/other$/, 'short-name-aliases.conf')); // to itself
  home.env['_CONTAINERS_ROOTLESS_UID'] = '0';
  t.is((await new RegistriesFiles(home.environment).load()).aliases.size, 0);
});

test('credentials come from the auth files unless helpers are listed', async (t) => {
  const home = await makeHome(t);
  const files = new RegistriesFiles(home.environment);
  t.deepEqual((await files.load()).credentialHelpers, ['containers-auth.json']);
  await home.write(SYSTEM, 'credential-helpers = ["one", "containers-auth.json"]');
  t.deepEqual((await files.load()).credentialHelpers, ['one', 'containers-auth.json']);
  await home.write(`${SYSTEM}.d/10.conf`, 'credential-helpers = []');
  t.deepEqual((await files.load()).credentialHelpers, ['containers-auth.json']);
});
