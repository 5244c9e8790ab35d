// SPDX-License-Identifier: GPL-3.0-or-later

import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sameBytes } from '../tools/bytes.js';
import { noise } from '../tools/content.js';
import { startFaultProxy } from '../tools/fault-proxy.js';
import { imageOf, pushTars } from '../tools/image.js';
import { anyDriver, Machine, until, whyNoMounts } from '../tools/machine.js';
import { missing, PASSWORD, startRegistry, USER } from '../tools/registry.js';
import { makeCertificates } from '../tools/registry-certs.js';
import { pushImage } from '../tools/registry-image.js';
import { startTokenServer } from '../tools/registry-tokens.js';
import { writeTar } from '../tools/tar-writer.js';
import { writeWhiteoutTars } from '../tools/whiteout-tars.js';

const remote = anyDriver(whyNoMounts() ?? missing[0]);

const TIME = 1_500_000_000;

/** Does what `podman login` does. */
function logIn(machine: Machine, host: string): void {
  const auth = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');
  const directory = machine.directory('run/containers');
  writeFileSync(join(directory, 'auth.json'), JSON.stringify({ auths: { [host]: { auth } } }));
}

/** A tar for each number, with one file: in layers of their own, none is fetched with another. */
function writeNoiseTars(machine: Machine, files: number): string[] {
  return Array.from({ length: files }, (_, n) => {
    const path = join(machine.directory('tars'), `noise-${n}.tar`);
    writeTar(path, [{ name: `file-${n}`, mtime: TIME, content: noise(3 << 20, n + 1) }]);
    return path;
  });
}

remote('a registry with basic authentication refuses a mount, and serves it after a login', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const registry = await startRegistry({ auth: 'basic' });
  t.teardown(() => registry.stop());
  const { lower } = writeWhiteoutTars(machine.directory('tars'));
  await pushImage(await imageOf([lower]), `${registry.host}/closed:1`, { login: true });
  const error = await t.throwsAsync(machine.mount([`docker://${registry.host}/closed:1`]));
  t.regex(error?.message ?? '', /credentials are missing or refused/);
  logIn(machine, registry.host);
  const mount = await machine.mount([`docker://${registry.host}/closed:1`]);
  t.true(readdirSync(mount.merged).length > 0);
  t.false(machine.log.includes(PASSWORD));
});

remote('a mount outlives the tokens that it was given', async (t) => {
  const machine = new Machine({ CRFS_BACKGROUND: 'off' });
  t.teardown(() => machine.dispose());
  const [certificates, others] = [await makeCertificates(), await makeCertificates()];
  const tokens = await startTokenServer(certificates.ca);
  const registry = await startRegistry({ auth: tokens.auth });
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(async () => {
    await proxy.close();
    await registry.stop();
    await tokens.close();
    await certificates.remove();
    await others.remove();
  });
  await pushImage(await imageOf(writeNoiseTars(machine, 2)), `${registry.host}/closed:1`, { login: true });
  logIn(machine, proxy.host);
  const mount = await machine.mount([`docker://${proxy.host}/closed:1`]);
  sameBytes(t, await readFile(join(mount.merged, 'file-0')), noise(3 << 20, 1));
  await tokens.sign(others.ca);
  const strict = await startRegistry({ root: registry.root, auth: tokens.auth });
  t.teardown(() => strict.stop());
  proxy.upstream = strict.url;
  const before = tokens.seen.length;
  sameBytes(t, await readFile(join(mount.merged, 'file-1')), noise(3 << 20, 2));
  t.true(tokens.seen.length > before);
});

remote('a registry with a certificate of its own CA is trusted by certs.d alone', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const certificates = await makeCertificates();
  const root = join(certificates.directory, 'root');
  const plain = await startRegistry({ root });
  const { lower } = writeWhiteoutTars(machine.directory('tars'));
  await pushTars([lower], `${plain.host}/secret:1`);
  await plain.stop();
  const registry = await startRegistry({ root, tls: certificates.server });
  t.teardown(async () => {
    await registry.stop();
    await certificates.remove();
  });
  const error = await t.throwsAsync(machine.mount([`docker://${registry.host}/secret:1`]));
  t.regex(error?.message ?? '', /certs\.d/);
  const directory = join(machine.root, 'config/containers/certs.d', registry.host);
  mkdirSync(directory, { recursive: true });
  copyFileSync(certificates.ca.certificate, join(directory, 'ca.crt'));
  const mount = await machine.mount([`docker://${registry.host}/secret:1`]);
  t.true(readdirSync(mount.merged).length > 0);
});

remote('the registry may be killed and come back in the middle of reading', async (t) => {
  const machine = new Machine({ CRFS_BACKGROUND: 'off' });
  t.teardown(() => machine.dispose());
  const first = await startRegistry({ root: machine.directory('registry') });
  const second = await startRegistry({ root: machine.directory('registry') });
  const proxy = await startFaultProxy({ upstream: first.url });
  t.teardown(async () => {
    await proxy.close();
    await second.stop();
  });
  await pushTars(writeNoiseTars(machine, 2), `${first.host}/noise:1`);
  const mount = await machine.mount([`docker://${proxy.host}/noise:1`]);
  sameBytes(t, await readFile(join(mount.merged, 'file-0')), noise(3 << 20, 1));
  await first.stop();
  proxy.reset();
  const reading = readFile(join(mount.merged, 'file-1'));
  await until('it has been asked for in vain', () => proxy.seen.length > 0);
  proxy.upstream = second.url;
  sameBytes(t, await reading, noise(3 << 20, 2));
  sameBytes(t, readFileSync(join(mount.merged, 'file-0')), noise(3 << 20, 1));
});
