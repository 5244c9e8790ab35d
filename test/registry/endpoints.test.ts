// SPDX-License-Identifier: GPL-3.0-or-later

import { utimes } from 'node:fs/promises';
import test, { type ExecutionContext } from 'ava';
import { CrfsError } from '../../src/main/errors/error.js';
import { candidates, pullEndpoints, pushEndpoint } from '../../src/main/registry/endpoints.js';
import { formatReference } from '../../src/main/registry/reference.js';
import { type RegistriesConf, RegistriesFiles } from '../../src/main/registry/registries-conf.js';
import type { Reference } from '../../src/main/registry/types.js';
import { makeHome, ref, rejects } from './setting.js';

const DIGEST = `sha256:${'1'.repeat(64)}`;

async function conf(t: ExecutionContext, text: string): Promise<RegistriesConf> {
  const home = await makeHome(t);
  await home.write('etc/containers/registries.conf', text);
  return await new RegistriesFiles(home.environment).load();
}

function places(reference: Reference, loaded: RegistriesConf): string[] {
  return pullEndpoints(reference, loaded).map(
    ({ registry, repository, insecure }) => `${registry}/${repository}${insecure ? ' insecure' : ''}`,
  );
}

test('without configuration an image is asked for where its name says', async (t) => {
  t.deepEqual(places(ref('example.com', 'a/b'), await conf(t, '')), ['example.com/a/b']);
});

test('mirrors come in order, and the registry itself last, each with the rest of the name', async (t) => {
  const loaded = await conf(
    t,
    `[[registry]]
     prefix = "example.com/foo"
     location = "internal.example.net/bar"
     insecure = true
     [[registry.mirror]]
     location = "one.local/mirror-for-foo"
     [[registry.mirror]]
     location = "two.local:5000/mirrors/foo"
     insecure = true`,
  );
  t.deepEqual(places(ref('example.com', 'foo/image'), loaded), [
    'one.local/mirror-for-foo/image',
    'two.local:5000/mirrors/foo/image insecure',
    'internal.example.net/bar/image insecure',
  ]);
  t.deepEqual(places(ref('example.com', 'food/image'), loaded), ['example.com/food/image']);
});

test('the longest prefix wins, and none begins in the middle of a part', async (t) => {
  const loaded = await conf(
    t,
    `[[registry]]
     location = "example.com"
     insecure = true
     [[registry]]
     prefix = "example.com/a"
     location = "other.com/x"`,
  );
  t.deepEqual(places(ref('example.com', 'a/b'), loaded), ['other.com/x/b']);
  t.deepEqual(places(ref('example.com', 'ab'), loaded), ['example.com/ab insecure']);
  t.deepEqual(places(ref('example.com', 'a'), loaded), ['other.com/x']);
  t.deepEqual(places(ref('example.com:443', 'a'), loaded), ['example.com:443/a insecure']);
});

test('a prefix can be for all hosts below a name', async (t) => {
  const loaded = await conf(t, '[[registry]]\nprefix = "*.example.com"\ninsecure = true');
  t.deepEqual(places(ref('a.b.example.com', 'c'), loaded), ['a.b.example.com/c insecure']);
  t.deepEqual(places(ref('example.com', 'c'), loaded), ['example.com/c']);
});

test('mirrors can be for digests only, or for tags only', async (t) => {
  const loaded = await conf(
    t,
    `[[registry]]
     location = "example.com"
     [[registry.mirror]]
     location = "tags.local"
     pull-from-mirror = "tag-only"
     [[registry.mirror]]
     location = "digests.local"
     pull-from-mirror = "digest-only"
     [[registry]]
     location = "second.com"
     mirror-by-digest-only = true
     [[registry.mirror]]
     location = "both.local"`,
  );
  t.deepEqual(places(ref('example.com', 'a'), loaded), ['tags.local/a', 'example.com/a']);
  t.deepEqual(places(ref('example.com', 'a', { digest: DIGEST }), loaded), ['digests.local/a', 'example.com/a']);
  t.deepEqual(places(ref('second.com', 'a'), loaded), ['second.com/a']);
  t.deepEqual(places(ref('second.com', 'a', { digest: DIGEST }), loaded), ['both.local/a', 'second.com/a']);
});

test('a blocked registry is denied, for pulling and for pushing', async (t) => {
  const loaded = await conf(t, '[[registry]]\nlocation = "example.com"\nblocked = true');
  t.is(t.throws(() => pullEndpoints(ref('example.com', 'a'), loaded), { instanceOf: CrfsError })?.code, 'CRFS_DENIED');
  t.is(t.throws(() => pushEndpoint(ref('example.com', 'a'), loaded), { instanceOf: CrfsError })?.code, 'CRFS_DENIED');
});

test('a push goes where the name says, mirrors or not', async (t) => {
  const loaded = await conf(
    t,
    '[[registry]]\nprefix = "example.com"\nlocation = "b.com"\n[[registry.mirror]]\nlocation = "c.com"',
  );
  t.deepEqual(pushEndpoint(ref('example.com', 'a'), loaded), {
    registry: 'example.com',
    repository: 'a',
    insecure: false,
  });
});

test('a short name means its alias, with the tag that was given', async (t) => {
  const loaded = await conf(
    t,
    'unqualified-search-registries = ["x.com"]\n[aliases]\n"tool" = "example.com/team/tool"',
  );
  t.deepEqual(candidates('tool:1', loaded).map(formatReference), ['docker://example.com/team/tool:1']);
});

test('a short name without an alias is searched for in order', async (t) => {
  const loaded = await conf(t, 'unqualified-search-registries = ["x.com", "docker.io"]');
  t.deepEqual(candidates('tool', loaded).map(formatReference), [
    'docker://x.com/tool:latest',
    'docker://docker.io/library/tool:latest',
  ]);
});

test('a short name is an error where nothing says what it means, or where guessing is forbidden', async (t) => {
  const none = await conf(t, '');
  t.is(t.throws(() => candidates('tool', none), { instanceOf: CrfsError })?.code, 'CRFS_USAGE');
  const strict = await conf(t, 'unqualified-search-registries = ["x.com", "y.com"]\nshort-name-mode = "enforcing"');
  t.is(t.throws(() => candidates('tool', strict), { instanceOf: CrfsError })?.code, 'CRFS_USAGE');
});

test('drop-in files replace what files before them say', async (t) => {
  const home = await makeHome(t);
  await home.write(
    'etc/containers/registries.conf',
    'unqualified-search-registries = ["a.com"]\n[[registry]]\nlocation = "x.com"',
  );
  await home.write(
    'etc/containers/registries.conf.d/10.conf',
    '[[registry]]\nlocation = "x.com"\ninsecure = true\n[aliases]\n"t" = "b.com/t"',
  );
  await home.write(
    'etc/containers/registries.conf.d/20.conf',
    'unqualified-search-registries = ["c.com"]\n[aliases]\n"t" = ""',
  );
  await home.write('etc/containers/registries.conf.d/30.txt', 'not read');
  const loaded = await new RegistriesFiles(home.environment).load();
  t.deepEqual(candidates('t', loaded).map(formatReference), ['docker://c.com/t:latest']);
  t.deepEqual(places(ref('x.com', 'a'), loaded), ['x.com/a insecure']);
});

test("a user's file takes the place of the system's, and a named file that of both", async (t) => {
  const home = await makeHome(t);
  await home.write('etc/containers/registries.conf', 'unqualified-search-registries = ["system.com"]');
  await home.write('.config/containers/registries.conf', 'unqualified-search-registries = ["user.com"]');
  const files = new RegistriesFiles(home.environment);
  t.deepEqual((await files.load()).search, ['user.com']);
  home.env['CONTAINERS_REGISTRIES_CONF'] = await home.write(
    'named.conf',
    'unqualified-search-registries = ["named.com"]',
  );
  t.deepEqual((await files.load()).search, ['named.com']);
});

test('a file that changes is read again', async (t) => {
  const home = await makeHome(t);
  await home.write('etc/containers/registries.conf', 'unqualified-search-registries = ["one.com"]');
  const files = new RegistriesFiles(home.environment);
  t.deepEqual((await files.load()).search, ['one.com']);
  await home.write('etc/containers/registries.conf', 'unqualified-search-registries = ["second.com"]');
  t.deepEqual((await files.load()).search, ['second.com']);
  const path = await home.write('etc/containers/registries.conf', 'unqualified-search-registries = ["others.com"]');
  await utimes(path, 1000, 1000); // it is of the same length as the next, and was written long before
  t.deepEqual((await files.load()).search, ['others.com']);
  await home.write('etc/containers/registries.conf', 'unqualified-search-registries = ["fourth.com"]');
  t.deepEqual((await files.load()).search, ['fourth.com']);
});

for (const [what, text] of [
  ['is not TOML', 'a = '],
  ['is larger than any can be', `# ${'x'.repeat(4 << 20)}\n`],
  [
    'mixes versions of the format',
    'unqualified-search-registries = ["b.com"]\n[registries.search]\nregistries = ["a.com"]',
  ],
  ['has text for the lists of version 1', 'registries = "a.com"'],
  ['has a path among the registries of version 1', '[registries.block]\nregistries = ["*"]'],
  ['has a number for a credential helper', 'credential-helpers = [1]'],
  ['has a registry without a place', '[[registry]]\ninsecure = true'],
  ['has a prefix without a location', '[[registry]]\nprefix = "a.com"'],
  ['has a mirror without a location', '[[registry]]\nlocation = "a.com"\n[[registry.mirror]]\ninsecure = true'],
  ['has a wildcard with a path', '[[registry]]\nprefix = "*.a.com/b"'],
  ['has a URL for a location', '[[registry]]\nlocation = "https://a.com"'],
  ['has text for a flag', '[[registry]]\nlocation = "a.com"\ninsecure = "yes"'],
  ['has an unknown mode', 'short-name-mode = "guess"'],
  ['has a number for a registry', 'unqualified-search-registries = [1]'],
  [
    'says twice when mirrors are for',
    '[[registry]]\nlocation = "a.com"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "b.com"\npull-from-mirror = "all"',
  ],
] as const) {
  test(`a registries.conf that ${what} is refused, by its name`, async (t) => {
    const error = await rejects(t, 'CRFS_USAGE', async () => await conf(t, text));
    t.regex(error.message, /registries\.conf/);
  });
}
