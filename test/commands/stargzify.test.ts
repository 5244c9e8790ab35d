// SPDX-License-Identifier: GPL-3.0-or-later

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { LOGIN } from '../registry/setting.js';
import { pushTars } from '../tools/image.js';
import type { Machine } from '../tools/machine.js';
import { PASSWORD, type Registry, type RegistryOptions, startRegistry, USER } from '../tools/registry.js';
import { makeCertificates } from '../tools/registry-certs.js';
import { makeImage, pushImage } from '../tools/registry-image.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { invoke, layerOf, makeMachine, registryTest, SMALL } from './setting.js';

const DIGEST = /^sha256:[0-9a-f]{64}\n$/;

function smallTar(machine: Machine): string {
  const tar = join(machine.root, 'small.tar');
  writeTar(tar, SMALL);
  return tar;
}

/** A registry with an image `img:1`, put there before it asks for anything. */
async function registryWith(t: ExecutionContext, machine: Machine, options: RegistryOptions): Promise<Registry> {
  const root = machine.directory('registry');
  const open = await startRegistry({ root });
  await pushTars([smallTar(machine)], `${open.host}/img:1`);
  await open.stop();
  const registry = await startRegistry({ root, ...options });
  t.teardown(() => registry.stop());
  return registry;
}

test('a layer is converted, with lines of progress, and its digest printed last', async (t) => {
  const machine = makeMachine(t);
  const tar = smallTar(machine);
  const { code, stdout, stderr } = await invoke(machine, ['stargzify', tar, 'layer.esgz']);
  t.is(code, 0);
  t.regex(stdout, /^layer\.esgz: sha256:[0-9a-f]{64}\n$/);
  t.regex(stderr, /^\S+small\.tar: converting, 9\.0 KiB\n\S+small\.tar: 1\.\d KiB, 12 entries\n$/);
});

test('--quiet prints the digest, and nothing else', async (t) => {
  const machine = makeMachine(t);
  const { code, stdout, stderr } = await invoke(machine, ['stargzify', '--quiet', smallTar(machine), 'layer.esgz']);
  t.deepEqual([code, stderr], [0, '']);
  t.regex(stdout, DIGEST);
});

test('a single layer goes to nothing but a file', async (t) => {
  const machine = makeMachine(t);
  const tar = smallTar(machine);
  machine.directory('there');
  for (const [destination, why] of [
    ['there', 'there is a directory'],
    ['localhost:5000/img:1', 'there is no directory "localhost:5000", and a registry takes only images'],
    ['oci:there', 'oci:there is for an image'],
    ['none/layer.esgz', 'there is no directory "none"'],
  ] as const) {
    const { code, stderr } = await invoke(machine, ['stargzify', tar, destination]);
    t.is(code, 2);
    t.is(stderr, `crfs: ${tar} is a single layer, and goes to a file: ${why}\n`);
  }
  const { code, stderr } = await invoke(machine, ['stargzify', './there', 'layer.esgz']);
  t.deepEqual([code, stderr], [2, 'crfs: ./there is a directory: an image in one is oci:DIR[:TAG] or dir:DIR\n']);
});

test('a TMPDIR of no use is told in one line', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  for (const args of [
    ['stargzify', layer.replace(/\.esgz$/, ''), 'out.esgz'],
    ['ls', layer],
  ]) {
    const { code, stderr } = await invoke(machine, args, { TMPDIR: join(machine.root, 'not-there') });
    t.is(code, 1);
    t.regex(stderr, /^crfs: .*not-there \(TMPDIR names another directory\): no such file or directory\n$/);
  }
});

test('options that make no sense are refused', async (t) => {
  const machine = makeMachine(t);
  for (const option of ['--src-creds=:secret', '--src-tls-verify=perhaps', '--level=10', '--chunk-size=1']) {
    const { code, stderr } = await invoke(machine, ['stargzify', option, 'img', 'oci:to']);
    t.is(code, 2, option);
    t.true(stderr.includes(option.replace(/=.*/, '')), stderr);
  }
  t.is((await invoke(machine, ['stargzify', '--platform=linux/arm64', '--all-platforms', 'img', 'oci:to'])).code, 2);
  const { code, stderr } = await invoke(machine, ['stargzify', '--authfile', 'none.json', 'img', 'oci:to']);
  t.deepEqual([code, stderr], [1, 'crfs: --authfile: there is no none.json\n']);
});

registryTest('credentials are taken from the options for each end, or from a file that is named', async (t) => {
  const machine = makeMachine(t);
  const { host } = await registryWith(t, machine, { auth: 'basic' });
  const names = [`${host}/img:1`, `${host}/img:2`];
  const convert = async (...options: string[]): Promise<number | null> =>
    (await invoke(machine, ['stargzify', '-q', ...options, ...names])).code;
  t.is(await convert(), 1);
  const login = `${USER}:${PASSWORD}`;
  t.is(await convert(`--src-creds=${login}`), 1);
  t.is(await convert(`--src-creds=${login}`, `--dest-creds=${login}`), 0);
  t.is(await convert(`--src-creds=${login}`, `--dest-creds=${USER}:wrong`), 1);
  const authfile = join(machine.root, 'named.json');
  writeFileSync(authfile, JSON.stringify({ auths: { [host]: { auth: LOGIN } } }));
  t.is(await convert('--authfile', authfile), 0);
});

registryTest('certificates that nobody vouches for are taken where the options say so, for each end', async (t) => {
  const machine = makeMachine(t);
  const certificates = await makeCertificates();
  t.teardown(() => certificates.remove());
  const { host } = await registryWith(t, machine, { tls: certificates.server });
  const convert = async (...options: string[]): Promise<string> =>
    (await invoke(machine, ['stargzify', '-q', ...options, `${host}/img:1`, `${host}/img:2`])).stdout;
  t.is(await convert('--src-tls-verify=false'), '');
  t.is(await convert('--dest-tls-verify=false'), '');
  t.is(await convert('--src-tls-verify=true', '--dest-tls-verify=false'), '');
  t.regex(await convert('--src-tls-verify=false', '--dest-tls-verify=false'), DIGEST);
  const seen = await run('skopeo', ['inspect', '--tls-verify=false', `docker://${host}/img:2`]);
  t.true(seen.includes('RepoTags'));
});

registryTest('an image that was made from the same before is not made again', async (t) => {
  const machine = makeMachine(t);
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const [source, destination] = [`${registry.host}/plain:1`, `${registry.host}/lazy:1`];
  await pushImage(await makeImage(2, 3000), source);
  const told = async (
    to: string,
    ...options: string[]
  ): Promise<{ digest: string; before: boolean; worked: boolean }> => {
    const { code, stdout, stderr } = await invoke(machine, ['stargzify', ...options, source, to]);
    t.is(code, 0, stderr);
    const [, digest = '', before] = /^\S+: (sha256:[0-9a-f]{64})(, made from \S+ before)?\n$/.exec(stdout) ?? [];
    return { digest, before: before !== undefined, worked: stderr.includes('converting') };
  };
  for (const to of [destination, 'oci:layout:1', 'oci-archive:archive:1']) {
    const first = await told(to);
    t.regex(first.digest, /^sha256:/);
    t.deepEqual(first, { digest: first.digest, before: false, worked: true });
    t.deepEqual(await told(to), { digest: first.digest, before: true, worked: false });
  }
  const { digest } = await told(destination);
  t.deepEqual(await told(destination, '--force'), { digest, before: false, worked: true });
  const finer = await told(destination, '--chunk-size', '1M');
  t.deepEqual(finer, { digest: finer.digest, before: false, worked: true });
  t.not(finer.digest, digest);
  t.like(await told(destination), { digest, before: false });
  await pushImage(await makeImage(1, 1000), source);
  const other = await told(destination);
  t.deepEqual(other, { digest: other.digest, before: false, worked: true });
  t.like(JSON.parse((await invoke(machine, ['stargzify', '--json', source, destination])).stdout), {
    digest: other.digest,
    isThere: true,
    layers: [],
  });
});
