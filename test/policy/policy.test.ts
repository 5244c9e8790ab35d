// SPDX-License-Identifier: GPL-3.0-or-later

/** Policies mean here what they mean to skopeo, which is asked as well. */

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { CrfsError } from '../../src/main/errors/error.js';
import { parsePolicy, requirementsFor } from '../../src/main/policy/policy.js';
import { localImage, registryImage, type Subject } from '../../src/main/policy/subject.js';
import { missing, startRegistry } from '../tools/registry.js';
import { makeImage, pushImage } from '../tools/registry-image.js';
import { run } from '../tools/run.js';

const withSkopeo = missing.length === 0 ? test : test.skip;

const ACCEPT = [{ type: 'insecureAcceptAnything' }];
const REJECT = [{ type: 'reject' }];

function scratch(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'crfs-policy-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  return path;
}

/** What skopeo complains of when it copies; undefined: nothing. */
async function skopeo(policy: string, from: string, to: string): Promise<string | undefined> {
  const args = ['--policy', policy, 'copy', '-q', '--src-tls-verify=false', from, to];
  const failed = await promisify(execFile)('skopeo', args).then(
    () => undefined,
    (error: { stderr: string }) => error.stderr,
  );
  return failed;
}

const withDefault = (more: string): string => `{"default":[{"type":"insecureAcceptAnything"}]${more}}`;
const requiring = (requirement: string): string => `{"default":[${requirement}]}`;

const MALFORMED: readonly string[] = [
  '',
  'x',
  '[]',
  'null',
  '{}',
  '{"default":[]}',
  '{"default":null}',
  '{"default":{}}',
  '{"Default":[{"type":"reject"}]}',
  `${withDefault('')} x`,
  withDefault(',"default":[{"type":"reject"}]'),
  withDefault(',"more":1'),
  withDefault(',"transports":null'),
  withDefault(',"transports":[]'),
  withDefault(',"transports":{"docker":null}'),
  withDefault(',"transports":{"docker":{},"docker":{}}'),
  withDefault(',"transports":{"docker":{"a":[{"type":"reject"}],"a":[{"type":"reject"}]}}'),
  withDefault(',"transports":{"docker":{"a":[]}}'),
  withDefault(',"transports":{"docker":{"a":null}}'),
  withDefault(',"transports":{"dir":{"a":[{"type":"reject"}]}}'),
  withDefault(',"transports":{"oci":{"/":[{"type":"reject"}]}}'),
  withDefault(',"transports":{"oci":{"/a/":[{"type":"reject"}]}}'),
  withDefault(',"transports":{"oci-archive":{"/a/../b":[{"type":"reject"}]}}'),
  withDefault(',"transports":{"docker-archive":{"/a":[{"type":"reject"}]}}'),
  withDefault(',"transports":{"tarball":{"/a":[{"type":"reject"}]}}'),
  withDefault(',"__proto__":1'),
  withDefault(',"transports":{"__proto__":[]}'),
  withDefault(',"transports":{"constructor":{"prototype":[]}}'),
  requiring('null'),
  requiring('[]'),
  requiring('{}'),
  requiring('{"type":"accept"}'),
  requiring('{"type":"__proto__"}'),
  requiring('{"Type":"reject"}'),
  requiring('{"type":"reject","more":1}'),
  requiring('{"type":"reject","constructor":1}'),
  requiring('{"type":"insecureAcceptAnything","keyPath":"/k"}'),
  requiring('{"type":"signedBy"}'),
  requiring('{"type":"signedBy","keyPath":"/k"}'),
  requiring('{"type":"signedBy","keyType":"GPGKeys"}'),
  requiring('{"type":"signedBy","keyType":"keys","keyPath":"/k"}'),
  requiring('{"type":"signedBy","keyType":"GPGKeys","keyPath":5}'),
  requiring('{"type":"signedBy","keyType":"GPGKeys","keyData":"?"}'),
  requiring('{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","keyData":"AAAA"}'),
  requiring('{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","signedIdentity":{"type":"any"}}'),
  requiring('{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","signedIdentity":{"type":"matchExact","a":1}}'),
  requiring('{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","signedIdentity":{"type":"exactReference"}}'),
  requiring('{"type":"sigstoreSigned"}'),
  requiring('{"type":"sigstoreSigned","keyPath":"/k","keyType":"GPGKeys"}'),
  requiring('{"type":"signedBaseLayer"}'),
];

const SOUND: readonly string[] = [
  withDefault(''),
  withDefault(',"transports":{}'),
  withDefault(',"transports":{"docker":{}}'),
  withDefault(',"transports":{"docker":{"":[{"type":"reject"}],"a//b":[{"type":"reject"}]}}'),
  withDefault(',"transports":{"oci":{"/a/b":[{"type":"reject"}]},"dir":{"":[{"type":"reject"}]}}'),
  withDefault(',"transports":{"docker-archive":{"":[{"type":"reject"}]}}'),
  withDefault(',"transports":{"nobody-knows":{"x":[{"type":"reject"}]}}'),
  withDefault(',"transports":{"__proto__":{"constructor":[{"type":"reject"}]}}'),
  requiring('{"type":"insecureAcceptAnything"},{"type":"reject"}'),
  requiring('{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k"}'),
  requiring('{"type":"signedBy","keyType":"GPGKeys","keyData":"AAAA","signedIdentity":{"type":"matchRepository"}}'),
  requiring(
    '{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k","signedIdentity":{"type":"remapIdentity","prefix":"a.b/c","signedPrefix":"d.e"}}',
  ),
  requiring('{"type":"sigstoreSigned","keyPath":"/k"}'),
  requiring('{"type":"signedBaseLayer","baseLayerIdentity":{"type":"matchExact"}}'),
];

const LOADING = /invalid policy|Error loading trust policy/;

withSkopeo('a policy is refused for the slightest mistake, in one line, where skopeo refuses it', async (t) => {
  const file = join(scratch(t), 'policy.json');
  const said = async (json: string): Promise<string> => {
    writeFileSync(file, json);
    return String(await skopeo(file, 'dir:/nonexistent', 'dir:/nonexistent'));
  };
  for (const json of MALFORMED) {
    const error = t.throws(() => parsePolicy(json, file), { instanceOf: CrfsError, code: 'CRFS_USAGE' }, json);
    t.regex(error?.message ?? '', /^\S+ is no policy for images: .+$/, json);
    t.regex(await said(json), LOADING, json);
  }
  for (const json of SOUND) {
    t.notThrows(() => parsePolicy(json, file), json);
    t.notRegex(await said(json), LOADING, json);
  }
});

test('what is wrong with a policy is told by its place', (t) => {
  for (const [json, told] of [
    ['{}', 'default must be given'],
    ['{"default":[]}', 'default must be a list of at least one, not an empty list'],
    [withDefault(',"more":1'), 'more must be one of default, transports, not "more"'],
    [withDefault(',"transports":{"oci":{"/":[{"type":"reject"}]}}'), 'transports must be with scopes of oci, not "/"'],
    [requiring('{"type":"matchExact"}'), /^default\.0\.type must be one of \w+(, \w+)+, not "matchExact"$/],
    [
      requiring('{"type":"signedBy","keyType":"GPGKeys"}'),
      'default.0 must be with one of keyPath, keyPaths, keyData, and no other of them',
    ],
  ] as const) {
    const { message } = t.throws(() => parsePolicy(json, '/p'));
    const why = message.replace('/p is no policy for images: ', '');
    if (typeof told === 'string') t.is(why, told);
    else t.regex(why, told);
  }
});

test('scopes and transports may be called like what every object has', (t) => {
  const named = parsePolicy(withDefault(',"transports":{"__proto__":{"constructor":[{"type":"reject"}]}}'), '/p');
  t.deepEqual([...named.transports], [['__proto__', new Map([['constructor', [{ type: 'reject' }]]])]]);
});

test('a policy of more keys than exist yet, or deeper than any, is refused in one line', (t) => {
  const newer = requiring('{"type":"sigstoreSigned","keyDatas":["AAAA"],"rekorPublicKeyPaths":["/k"]}');
  t.notThrows(() => parsePolicy(newer, '/p'));
  for (const deep of ['['.repeat(200_000), `{"default":${'['.repeat(5000)}${']'.repeat(5000)}}`]) {
    t.throws(() => parsePolicy(deep, '/p'), { code: 'CRFS_USAGE', message: /^\/p is no policy for images: .+$/ });
  }
});

/** Whether an image is accepted, here. */
function accepts(policy: object, subject: Subject): boolean {
  const { requirements } = requirementsFor(parsePolicy(JSON.stringify(policy), '/p'), subject);
  return requirements.every(({ type }) => type === 'insecureAcceptAnything');
}

/** Compares what skopeo makes of every scope, accepting in a world that rejects and the other way round, with ours. */
async function compareScopes(
  t: ExecutionContext,
  subject: Subject,
  scopes: readonly string[],
  name = subject.name,
): Promise<void> {
  const directory = scratch(t);
  const { transport } = subject;
  const policies = scopes.flatMap((scope) => [
    { default: REJECT, transports: { [transport]: { [scope]: ACCEPT } } },
    { default: ACCEPT, transports: { [transport]: { [scope]: REJECT } } },
    { default: REJECT, transports: { [transport]: { '': REJECT, [scope]: ACCEPT } } },
  ]);
  const next = scopes.slice(1).map((scope, index) => ({
    default: REJECT,
    transports: { [transport]: { [scope]: ACCEPT, [scopes[index] ?? '']: REJECT } },
  }));
  let count = 0;
  for (const [n, policy] of [...policies, ...next].entries()) {
    const file = join(directory, 'policy.json');
    writeFileSync(file, JSON.stringify(policy));
    const failed = await skopeo(file, name, `dir:${join(directory, String(n))}`);
    if (failed !== undefined) t.regex(failed, /rejected by policy/, JSON.stringify(policy));
    t.is(accepts(policy, subject), failed === undefined, `${name}: ${JSON.stringify(policy)}`);
    if (failed === undefined) count++;
  }
  t.true(count > 0, 'something was accepted');
}

withSkopeo('the most specific scope of a registry decides, as with skopeo', async (t) => {
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const { host } = registry;
  await pushImage(await makeImage(1, 10), `${host}/a/b/c:one`);
  const inspected = await run('skopeo', [
    'inspect',
    '--tls-verify=false',
    '--format={{.Digest}}',
    `docker://${host}/a/b/c:one`,
  ]);
  const digest = String(inspected).trim();
  const name = { registry: host, repository: 'a/b/c' };
  const scopes = [
    `${host}/a/b/c@${digest}`,
    `${host}/a/b/c:one`,
    `${host}/a/b/c`,
    `${host}/a/b`,
    `${host}/a`,
    host,
    '*.0.0.1',
    '*.0.1',
    '*.1',
    '',
    '127.0.0.1',
    '*',
    `*.1:${registry.port}`,
    `${host}/a/b/c:two`,
    `${host}/a/`,
    'a/b/c:one',
  ];
  await compareScopes(t, registryImage({ ...name, tag: 'one' }), scopes);
  await compareScopes(t, registryImage({ ...name, digest }), scopes);
});

withSkopeo('scopes of directories and files are paths, and those above them, as with skopeo', async (t) => {
  const directory = scratch(t);
  mkdirSync(join(directory, 'real'));
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  await pushImage(await makeImage(1, 10), `${registry.host}/a:one`);
  const from = `docker://${registry.host}/a:one`;
  await run('ln', ['-s', 'real', join(directory, 'link')]);
  for (const [transport, file] of [
    ['oci', 'layout'],
    ['oci-archive', 'image.tar'],
  ] as const) {
    const path = join(directory, 'link', file);
    await run('skopeo', ['--insecure-policy', 'copy', '-q', '--src-tls-verify=false', from, `${transport}:${path}`]);
    const scopes = [
      join(directory, 'real', file),
      join(directory, 'real'),
      directory,
      path,
      '/tmp',
      '',
      join(directory, 'other'),
    ];
    await compareScopes(t, await localImage(transport, path), scopes);
  }
  const archive = join(directory, 'docker.tar');
  await run('skopeo', ['--insecure-policy', 'copy', '-q', '--src-tls-verify=false', from, `docker-archive:${archive}`]);
  await compareScopes(t, await localImage('docker-archive', archive), ['']);
});
