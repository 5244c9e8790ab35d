// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { AuthFiles } from '../../src/main/registry/auth-file.js';
import type { Credentials } from '../../src/main/registry/credentials.js';
import { type Home, makeHome, rejects } from './setting.js';

function entry(username: string, password = 'p'): { auth: string } {
  return { auth: Buffer.from(`${username}:${password}`).toString('base64') };
}

function user(username: string, password = 'p'): Credentials {
  return { kind: 'basic', username, password };
}

async function auths(
  home: Home,
  file: string,
  table: Record<string, unknown>,
  rest: Record<string, unknown> = {},
): Promise<void> {
  await home.write(file, JSON.stringify({ auths: table, ...rest }));
}

const FIRST = 'run/containers/auth.json';
const SECOND = '.config/containers/auth.json';
const THIRD = '.docker/config.json';

test('nobody is logged in where there is no file', async (t) => {
  const home = await makeHome(t);
  t.is(await new AuthFiles(home.environment).find('example.com', 'a'), undefined);
});

test("docker's first file, a table alone, is the last to be looked into", async (t) => {
  const home = await makeHome(t);
  await home.write('.dockercfg', JSON.stringify({ 'https://one.com/v1/': entry('old'), 'two.com': entry('old') }));
  await auths(home, THIRD, { 'two.com': entry('newer') });
  const files = new AuthFiles(home.environment);
  t.deepEqual(await files.find('one.com', 'a'), user('old'));
  t.deepEqual(await files.find('two.com', 'a'), user('newer'));
});

test('the longest part of the name that has credentials wins', async (t) => {
  const home = await makeHome(t);
  await auths(home, FIRST, {
    'example.com': entry('host'),
    'example.com/a/b': entry('ab'),
    'example.com/a': entry('a'),
  });
  const files = new AuthFiles(home.environment);
  t.deepEqual(await files.find('example.com', 'a/b/c'), user('ab'));
  t.deepEqual(await files.find('example.com', 'a/bb'), user('a'));
  t.deepEqual(await files.find('example.com', 'x'), user('host'));
  t.is(await files.find('other.com', 'a/b'), undefined);
});

test('files are asked in order, each with all that it has', async (t) => {
  const home = await makeHome(t);
  await auths(home, FIRST, { 'one.com': entry('first') });
  await auths(home, SECOND, { 'one.com/a': entry('second'), 'two.com': entry('second') });
  await auths(home, THIRD, { 'two.com': entry('third'), 'three.com': entry('third') });
  const files = new AuthFiles(home.environment);
  t.deepEqual(await files.find('one.com', 'a'), user('first'));
  t.deepEqual(await files.find('two.com', 'a'), user('second'));
  t.deepEqual(await files.find('three.com', 'a'), user('third'));
});

test('$REGISTRY_AUTH_FILE takes the place of the first file', async (t) => {
  const home = await makeHome(t);
  await auths(home, FIRST, { 'one.com': entry('first') });
  await auths(home, 'named.json', { 'one.com': entry('named', 'with:colon') });
  home.env['REGISTRY_AUTH_FILE'] = `${home.path}/named.json`;
  t.deepEqual(await new AuthFiles(home.environment).find('one.com', ''), user('named', 'with:colon'));
});

test("docker's old keys, which are URLs, are understood", async (t) => {
  const home = await makeHome(t);
  await auths(home, THIRD, { 'https://index.docker.io/v1/': entry('hub'), 'https://example.com/v2/': entry('x') });
  const files = new AuthFiles(home.environment);
  t.deepEqual(await files.find('docker.io', 'library/debian'), user('hub'));
  t.deepEqual(await files.find('example.com', 'a'), user('x'));
});

test('a file that changes is read again', async (t) => {
  const home = await makeHome(t);
  await auths(home, FIRST, { 'one.com': entry('before') });
  const files = new AuthFiles(home.environment);
  t.deepEqual(await files.find('one.com', 'a'), user('before'));
  await auths(home, FIRST, { 'one.com': entry('afterwards') });
  t.deepEqual(await files.find('one.com', 'a'), user('afterwards'));
});

test('a broken file is an error that quotes nothing of it', async (t) => {
  const home = await makeHome(t);
  await home.write(FIRST, '{"auths": {"one.com": {"auth": "c2VjcmV0"');
  const error = await rejects(t, 'CRFS_USAGE', async () => await new AuthFiles(home.environment).find('one.com', 'a'));
  t.false(`${error.stack} ${String(error.cause)}`.includes('c2VjcmV0'));
});

for (const [what, text] of [
  ['a list', '[{"one.com": {"auth": "c2VjcmV0"}}]'],
  ['a string', '"c2VjcmV0"'],
  ['an object with a list of credentials', '{"auths": [{"auth": "c2VjcmV0"}]}'],
  ['an object with a list of helpers', '{"credHelpers": ["c2VjcmV0"]}'],
  ['an object with a store that is no name', '{"credsStore": ["c2VjcmV0"]}'],
] as const) {
  test(`a file that holds ${what} is an error that names it, and quotes nothing of it`, async (t) => {
    const home = await makeHome(t);
    await home.write(FIRST, text);
    const error = await rejects(t, 'CRFS_USAGE', async () => await new AuthFiles(home.environment).find('a.com', 'a'));
    t.regex(
      error.message,
      /^\S+\/auth\.json must be repaired, or written anew by logging in: .*must be an? (object|string)$/,
    );
    t.false(`${error.stack} ${String(error.cause)}`.includes('c2VjcmV0'));
  });
}

test("docker's first file names a list for what it is, too", async (t) => {
  const home = await makeHome(t);
  await home.write('.dockercfg', '[]');
  await rejects(t, 'CRFS_USAGE', async () => await new AuthFiles(home.environment).find('a.com', 'a'));
});

test('what a file leaves out, or Go has written as null, is not there', async (t) => {
  const home = await makeHome(t);
  const files = new AuthFiles(home.environment);
  for (const text of ['', '{}', 'null', '{"auths": null, "credHelpers": null, "credsStore": null}']) {
    await home.write(FIRST, text);
    t.is(await files.find('a.com', 'a'), undefined, text);
  }
});

test('entries of unexpected shape are passed over', async (t) => {
  const home = await makeHome(t);
  await auths(home, FIRST, {
    'one.com': 5,
    'two.com': { auth: 7 },
    'three.com': { auth: 'bm9jb2xvbg==' },
    'four.com': {},
  });
  const files = new AuthFiles(home.environment);
  for (const host of ['one.com', 'two.com', 'three.com', 'four.com']) t.is(await files.find(host, 'a'), undefined);
});

const HELPER = `#!/bin/sh
read -r server
test "$1" = get || exit 3
case "$server" in
  one.com) echo '{"ServerURL":"one.com","Username":"helped","Secret":"s"}' ;;
  two.com) echo '{"Username":"<token>","Secret":"refresh"}' ;;
  https://index.docker.io/v1/) echo '{"Username":"hub","Secret":"s"}' ;;
  bad.com) echo 'secret, and no JSON' ;;
  *) echo 'credentials not found in native keychain'; exit 1 ;;
esac
`;

test('a credential helper for a host is asked before what the file keeps', async (t) => {
  const home = await makeHome(t);
  await home.write('bin/docker-credential-test', HELPER);
  await auths(
    home,
    FIRST,
    { 'one.com': entry('kept') },
    { credHelpers: { 'one.com': 'test', 'two.com': 'test', 'none.com': 'test' } },
  );
  const files = new AuthFiles(home.environment);
  t.deepEqual(await files.find('one.com', 'a/b'), user('helped', 's'));
  t.deepEqual(await files.find('two.com', 'a'), { kind: 'identity', token: 'refresh' });
  t.is(await files.find('none.com', 'a'), undefined);
});

test('the store of all credentials is asked where the file keeps none', async (t) => {
  const home = await makeHome(t);
  await home.write('bin/docker-credential-test', HELPER);
  await auths(home, THIRD, { 'kept.com': entry('kept') }, { credsStore: 'test' });
  const files = new AuthFiles(home.environment);
  t.deepEqual(await files.find('kept.com', 'a'), user('kept'));
  t.deepEqual(await files.find('one.com', 'a'), user('helped', 's'));
  t.deepEqual(await files.find('docker.io', 'library/a'), user('hub', 's'));
  t.is(await files.find('none.com', 'a'), undefined);
});

test('a credential helper that is missing or broken is named', async (t) => {
  const home = await makeHome(t);
  await home.write('bin/docker-credential-test', HELPER);
  await home.write('bin/docker-credential-fails', '#!/bin/sh\nexit 7\n');
  await auths(
    home,
    FIRST,
    {},
    { credHelpers: { 'one.com': 'absent', 'two.com': 'fails', 'bad.com': 'test', 'evil.com': '../x' } },
  );
  const files = new AuthFiles(home.environment);
  const find = async (host: string): Promise<unknown> => await files.find(host, 'a');
  t.regex(
    (await rejects(t, 'CRFS_DENIED', async () => await find('one.com'))).message,
    /docker-credential-absent is not installed/,
  );
  t.regex((await rejects(t, 'CRFS_DENIED', async () => await find('two.com'))).message, /status 7/);
  t.notRegex((await rejects(t, 'CRFS_DENIED', async () => await find('bad.com'))).message, /secret/);
  await rejects(t, 'CRFS_USAGE', async () => await find('evil.com'));
});
