// SPDX-License-Identifier: GPL-3.0-or-later

import test, { type ExecutionContext } from 'ava';
import { CredentialStores } from '../../src/main/registry/credential-stores.js';
import { RegistriesFiles } from '../../src/main/registry/registries-conf.js';
import { logIn, makeHome } from './setting.js';

const HELPER = `#!/bin/sh
read -r server
case "$server" in
  one.com) echo '{"Username":"helped","Secret":"s"}' ;;
  *) echo 'credentials not found in native keychain'; exit 1 ;;
esac
`;

/** Stores of a user who is logged in to one.com and two.com, and whose registries.conf lists these helpers. */
async function stores(t: ExecutionContext, helpers: readonly string[]): Promise<CredentialStores> {
  const home = await makeHome(t);
  await home.write('bin/docker-credential-test', HELPER);
  await home.write('bin/docker-credential-fails', '#!/bin/sh\nexit 7\n');
  await home.write('bin/docker-credential-dies', '#!/bin/sh\nkill -9 $$\n');
  await home.write('etc/containers/registries.conf', `credential-helpers = ${JSON.stringify(helpers)}`);
  await logIn(home, 'two.com');
  return new CredentialStores(new RegistriesFiles(home.environment), home.environment);
}

test('helpers of registries.conf are asked in order, the auth files in their place', async (t) => {
  const found = await stores(t, ['test', 'containers-auth.json']);
  t.deepEqual(await found.find('one.com', 'a/b'), { kind: 'basic', username: 'helped', password: 's' });
  t.like(await found.find('two.com', 'a'), { username: 'alice' });
  t.is(await found.find('three.com', 'a'), undefined);
});

test('auth files that are not listed are not read', async (t) => {
  t.is(await (await stores(t, ['test'])).find('two.com', 'a'), undefined);
});

test('a helper that fails is passed over, and named where nobody else has credentials', async (t) => {
  const found = await stores(t, ['fails', 'absent', 'containers-auth.json']);
  t.like(await found.find('two.com', 'a'), { username: 'alice' });
  t.is(found.complaint('two.com'), 'no credentials for two.com: docker-credential-fails ended with status 7');
  t.is(await found.find('one.com', 'a'), undefined);
  t.regex(found.complaint('one.com') ?? '', /docker-credential-fails/);
  t.is(found.complaint('three.com'), undefined);
});

test('a helper that a signal ends is said to have been ended', async (t) => {
  const found = await stores(t, ['dies']);
  t.is(await found.find('one.com', 'a'), undefined);
  t.is(found.complaint('one.com'), 'no credentials for one.com: docker-credential-dies was ended by SIGKILL');
});
