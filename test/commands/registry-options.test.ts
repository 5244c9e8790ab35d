// SPDX-License-Identifier: GPL-3.0-or-later

/** Options by which commands are told how to reach a registry. */

import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import anyTest, { type ExecutionContext } from 'ava';
import { imageOf as made } from '../tools/image.js';
import { type Machine, whyNoMounts } from '../tools/machine.js';
import { PASSWORD, type Registry, startRegistry, USER } from '../tools/registry.js';
import { type Certificates, makeCertificates } from '../tools/registry-certs.js';
import { pushImage } from '../tools/registry-image.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { invoke, makeMachine, SMALL, registryTest as test } from './setting.js';

const mounting = whyNoMounts() === undefined ? test : anyTest.skip;

const CREDS = `${USER}:${PASSWORD}`;
const REFUSED = /^crfs: .*credentials are missing or refused.*\n$/;

interface World {
  readonly machine: Machine;
  readonly registry: Registry;
  readonly name: string;
}

/** A registry that wants a login, with one image. */
async function closed(t: ExecutionContext): Promise<World> {
  const machine = makeMachine(t);
  const registry = await startRegistry({ auth: 'basic' });
  t.teardown(() => registry.stop());
  const tar = join(machine.directory('tars'), 'small.tar');
  writeTar(tar, SMALL);
  const name = `${registry.host}/img:1`;
  await pushImage(await made([tar]), name, { login: true });
  return { machine, registry, name };
}

/** Takes a mount away with the test. */
function unmounted(t: ExecutionContext, merged: string): void {
  t.teardown(() => run('umount', [merged]));
}

/** A registry over TLS, of a CA that nobody trusts, with one image. */
async function secret(t: ExecutionContext): Promise<World & { readonly certificates: Certificates }> {
  const machine = makeMachine(t);
  const certificates = await makeCertificates();
  const root = machine.directory('registry');
  const tar = join(machine.directory('tars'), 'small.tar');
  writeTar(tar, SMALL);
  const plain = await startRegistry({ root });
  await pushImage(await made([tar]), `${plain.host}/img:1`);
  await plain.stop();
  const registry = await startRegistry({ root, tls: certificates.server });
  t.teardown(async () => {
    await registry.stop();
    await certificates.remove();
  });
  return { machine, registry, name: `${registry.host}/img:1`, certificates };
}

test('--creds and --authfile log in, for every command that reads from a registry', async (t) => {
  const { machine, registry, name } = await closed(t);
  const file = join(machine.root, 'auth.json');
  const auth = Buffer.from(CREDS).toString('base64');
  writeFileSync(file, JSON.stringify({ auths: { [registry.host]: { auth } } }));
  for (const command of [
    ['ls', name],
    ['stat', name, '/bin'],
    ['cat', name, '/bin/tool'],
    ['verify', name],
    ['lowerdir', '--platform', 'linux/amd64', name, '/'],
  ]) {
    const refused = await invoke(machine, command);
    t.is(refused.code, 1, command.join(' '));
    t.regex(refused.stderr, REFUSED);
    t.is((await invoke(machine, [...command, '--creds', CREDS])).code, 0, command.join(' '));
    t.is((await invoke(machine, [...command, '--authfile', 'auth.json'])).code, 0, command.join(' '));
  }
  t.is((await invoke(machine, ['ls', name], { CRFS_CREDS: CREDS })).code, 0);
  const wrong = await invoke(machine, ['ls', name, '--creds', `${USER}:not-that`, '--authfile', file]);
  t.regex(wrong.stderr, REFUSED, 'what is given goes before what is kept');
  t.false(wrong.stderr.includes('not-that'));
  const nobody = await invoke(machine, ['ls', name, '--creds', ':secret']);
  t.deepEqual(nobody, { code: 2, stdout: '', stderr: 'crfs: --creds must be USER[:PASSWORD]\n' });
  const nowhere = await invoke(machine, ['ls', name, '--authfile', 'nowhere']);
  t.deepEqual(nowhere, { code: 1, stdout: '', stderr: 'crfs: --authfile: there is no nowhere\n' });
});

mounting('crfs mount hands on how to reach the registry, and the password is told to nobody', async (t) => {
  const { machine, registry, name } = await closed(t);
  const merged = machine.directory('merged');
  unmounted(t, merged);
  t.regex((await invoke(machine, ['mount', name, merged])).stderr, REFUSED);
  t.is((await invoke(machine, ['mount', '--creds', CREDS, name, merged])).code, 0);
  t.true(readdirSync(merged).includes('bin'));
  const pid = (await machine.status())?.pid ?? Number.NaN;
  const told = [
    machine.log,
    await machine.crfs('status'),
    await machine.crfs('status', '--json'),
    readFileSync(`/proc/${pid}/cmdline`, 'utf8'),
    readFileSync(`/proc/${pid}/environ`, 'utf8'),
    readFileSync('/proc/self/mountinfo', 'utf8'),
  ];
  for (const text of told) t.false(text.includes(PASSWORD) || text.includes(Buffer.from(CREDS).toString('base64')));
  const second = machine.directory('second');
  t.regex((await invoke(machine, ['mount', `${registry.host}/img:1`, second])).stderr, REFUSED, 'not for other mounts');
  process.kill(pid, 'SIGKILL');
  t.is(readFileSync(join(merged, 'bin/tool'), 'utf8'), 'run\n');
});

test('--tls-verify and --cert-dir say which certificates will do', async (t) => {
  const { machine, registry, name, certificates } = await secret(t);
  t.regex((await invoke(machine, ['ls', name])).stderr, /^crfs: .*certificate.*\n$/);
  t.is((await invoke(machine, ['ls', name, '--tls-verify=false'])).code, 0);
  t.is((await invoke(machine, ['ls', name, '--tls-verify', 'true'])).code, 1);
  const directory = machine.directory('certs');
  copyFileSync(certificates.ca.certificate, join(directory, 'ca.crt'));
  t.is((await invoke(machine, ['ls', name, '--cert-dir', 'certs'])).code, 0);
  const { layers } = JSON.parse(
    (await invoke(machine, ['stargzify', '--json', '--src-cert-dir', 'certs', name, 'oci:copy'])).stdout,
  ) as { layers: { source: string }[] };
  const url = `${registry.url}/v2/img/blobs/${layers[0]?.source}`;
  t.is((await invoke(machine, ['ls', url])).code, 1);
  t.is((await invoke(machine, ['ls', url, '--tls-verify=false'])).code, 0);
  t.is((await invoke(machine, ['ls', url, '--cert-dir', directory])).code, 0);
});

mounting('mounts are told which certificates will do', async (t) => {
  const { machine, name, certificates } = await secret(t);
  copyFileSync(certificates.ca.certificate, join(machine.directory('certs'), 'ca.crt'));
  for (const [n, option] of ['--tls-verify=false', '--cert-dir=certs'].entries()) {
    const merged = machine.directory(`merged-${n}`);
    unmounted(t, merged);
    t.is((await invoke(machine, ['mount', option, name, merged])).code, 0, option);
  }
  t.is((await invoke(machine, ['mount', name, machine.directory('merged')])).code, 1);
});

test('stargzify is told of each end by itself', async (t) => {
  const { machine, registry, name } = await closed(t);
  const open = await startRegistry();
  t.teardown(() => open.stop());
  const file = join(machine.root, 'auth.json');
  writeFileSync(file, JSON.stringify({ auths: { [registry.host]: { auth: Buffer.from(CREDS).toString('base64') } } }));
  const stargzify = (...args: string[]) => invoke(machine, ['stargzify', '-q', ...args], { CRFS_CREDS: CREDS });
  t.regex((await stargzify(name, 'oci:copy')).stderr, REFUSED, 'CRFS_CREDS is about neither end');
  t.is((await stargzify('--src-creds', CREDS, name, `${open.host}/copy:1`)).code, 0);
  t.is((await stargzify('--src-authfile', file, name, `${open.host}/copy:2`)).code, 0);
  t.regex((await stargzify('--dest-authfile', file, name, `${open.host}/copy:3`)).stderr, REFUSED);
  t.is((await stargzify('--dest-authfile', file, `${open.host}/copy:1`, `${registry.host}/copy:1`)).code, 0);
  t.is((await stargzify('--authfile', file, name, `${registry.host}/copy:2`)).code, 0);
});
