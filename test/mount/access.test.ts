// SPDX-License-Identifier: GPL-3.0-or-later

import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { imageOf, pushTars } from '../tools/image.js';
import { Machine, whyNoMounts } from '../tools/machine.js';
import { noise, writeTar, writeWhiteoutTars } from '../tools/nasty-tar.js';
import { missing, PASSWORD, startRegistry, USER } from '../tools/registry.js';
import { makeCertificates } from '../tools/registry-certs.js';
import { pushImage } from '../tools/registry-image.js';
import { startTokenServer } from '../tools/registry-tokens.js';

const remote = (whyNoMounts() ?? missing.length > 0) ? test.skip : test.serial;

const TIME = 1_500_000_000;

/** Does what `podman login` does. */
function logIn(machine: Machine, host: string): void {
  const auth = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');
  const directory = machine.directory('run/containers');
  writeFileSync(join(directory, 'auth.json'), JSON.stringify({ auths: { [host]: { auth } } }));
}

/** A tar with one file for each number, far enough apart that each is fetched by itself. */
function writeNoiseTar(machine: Machine, files: number): string {
  const path = join(machine.directory('tars'), 'noise.tar');
  const entries = Array.from({ length: files }, (_, n) => ({
    name: `file-${n}`,
    mtime: TIME,
    content: noise(3 << 20, n + 1),
  }));
  writeTar(path, entries);
  return path;
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
  const certificates = await makeCertificates();
  const tokens = await startTokenServer(certificates.ca);
  tokens.life = 5; // and whoever gets one is not told that it ends
  const registry = await startRegistry({ auth: tokens.auth });
  t.teardown(async () => {
    await registry.stop();
    await tokens.close();
    await certificates.remove();
  });
  const tar = writeNoiseTar(machine, 8);
  await pushImage(await imageOf([tar]), `${registry.host}/closed:1`, { login: true });
  logIn(machine, registry.host);
  const mount = await machine.mount([`docker://${registry.host}/closed:1`]);
  t.deepEqual(await readFile(join(mount.merged, 'file-0')), noise(3 << 20, 1));
  const before = tokens.seen.length;
  await sleep(6000); // a token is good for 5 s
  t.deepEqual(await readFile(join(mount.merged, 'file-5')), noise(3 << 20, 6));
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
  const tar = writeNoiseTar(machine, 4);
  await pushTars([tar], `${first.host}/noise:1`);
  const mount = await machine.mount([`docker://${first.host}/noise:1`]);
  t.deepEqual(await readFile(join(mount.merged, 'file-0')), noise(3 << 20, 1));
  await first.stop();
  const reading = readFile(join(mount.merged, 'file-2'));
  await sleep(500);
  const again = await startRegistry({ root: machine.directory('registry'), port: first.port });
  t.teardown(() => again.stop());
  t.deepEqual(await reading, noise(3 << 20, 3));
  t.deepEqual(readFileSync(join(mount.merged, 'file-0')), noise(3 << 20, 1));
});
