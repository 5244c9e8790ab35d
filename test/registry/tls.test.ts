// SPDX-License-Identifier: GPL-3.0-or-later

import { execFile } from 'node:child_process';
import { copyFile, readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { ExecutionContext } from 'ava';
import { speaksTls } from '../../src/main/http/tls-probe.js';
import { Transport } from '../../src/main/http/transport.js';
import { openHttpSource } from '../../src/main/sources/http.js';
import { listen } from '../tools/local-server.js';
import { startOrigin } from '../tools/origin.js';
import { type Registry, type RegistryOptions, startRegistry } from '../tools/registry.js';
import { type Certificates, makeCertificates } from '../tools/registry-certs.js';
import { makeImage, pushImage } from '../tools/registry-image.js';
import { type Home, hasty, makeClient, makeHome, ref, rejects, registryTest as test } from './setting.js';

interface Setting {
  readonly certificates: Certificates;
  readonly registry: Registry;
  readonly home: Home;
}

/** A registry over TLS with an image `a:one`. */
async function setting(t: ExecutionContext, wantsClient = false): Promise<Setting> {
  const certificates = await makeCertificates();
  const root = `${certificates.directory}/root`;
  const plain = await startRegistry({ root });
  await pushImage(await makeImage(1, 10), `${plain.host}/a:one`);
  await plain.stop();
  const tls: RegistryOptions['tls'] = {
    ...certificates.server,
    ...(wantsClient && { clientCa: certificates.ca.certificate }),
  };
  const registry = await startRegistry({ root, tls });
  t.teardown(async () => {
    await registry.stop();
    await certificates.remove();
  });
  return { certificates, registry, home: await makeHome(t) };
}

async function install({ home, registry }: Setting, directory: string, name: string, from: string): Promise<void> {
  await home.write(`${directory}/certs.d/${registry.host}/${name}`, await readFile(from, 'utf8'));
}

test('a certificate of an unknown CA is refused, even on this machine, and trusted once its CA is in certs.d', async (t) => {
  const all = await setting(t);
  const client = makeClient(t, all.home);
  const name = ref(all.registry.host, 'a', { tag: 'one' });
  const error = await rejects(t, 'CRFS_DENIED', async () => await client.getManifest(name));
  t.regex(error.message, /certs\.d/);
  await install(all, 'etc/containers', 'ca.crt', all.certificates.ca.certificate);
  t.is((await client.getManifest(name)).layers.length, 1);
});

test('SSL_CERT_FILE and SSL_CERT_DIR name CAs to trust, and what else is in the directory does no harm', async (t) => {
  const all = await setting(t);
  const { certificate } = all.certificates.ca;
  const name = ref(all.registry.host, 'a', { tag: 'one' });
  const directory = dirname(await all.home.write('cas/note', 'no certificate'));
  await promisify(execFile)('mkfifo', [join(directory, 'fifo')]);
  const manifest = async (variables: Record<string, string>): Promise<number> => {
    const env = { ...all.home.env, ...variables };
    const client = makeClient(t, all.home, { environment: { ...all.home.environment, env } });
    return (await client.getManifest(name)).layers.length;
  };
  await rejects(t, 'CRFS_DENIED', () => manifest({ SSL_CERT_DIR: `/nonexistent:${directory}` }));
  await rejects(t, 'CRFS_DENIED', () => manifest({ SSL_CERT_FILE: join(directory, 'fifo') }));
  t.is(await manifest({ SSL_CERT_FILE: certificate }), 1);
  await copyFile(certificate, join(directory, 'any-name'));
  t.is(await manifest({ SSL_CERT_DIR: `/nonexistent:${directory}` }), 1);
});

for (const directory of ['etc/docker', '.config/containers']) {
  test(`certificates in ${directory}/certs.d count`, async (t) => {
    const all = await setting(t);
    await install(all, directory, 'ca.crt', all.certificates.ca.certificate);
    const client = makeClient(t, all.home);
    t.is((await client.getManifest(ref(all.registry.host, 'a', { tag: 'one' }))).layers.length, 1);
  });
}

test("a user's own certificates for a registry take the place of the machine's", async (t) => {
  const all = await setting(t);
  const other = await makeCertificates();
  t.teardown(() => other.remove());
  await install(all, 'etc/containers', 'ca.crt', other.ca.certificate);
  await install(all, '.config/containers', 'ca.crt', all.certificates.ca.certificate);
  const client = makeClient(t, all.home);
  t.is((await client.getManifest(ref(all.registry.host, 'a', { tag: 'one' }))).layers.length, 1);
});

test('a CA that the system trusts needs no certs.d', async (t) => {
  const { certificates, registry, home } = await setting(t);
  await home.write('etc/ssl/certs/ca-certificates.crt', await readFile(certificates.ca.certificate, 'utf8'));
  const client = makeClient(t, home);
  t.is((await client.getManifest(ref(registry.host, 'a', { tag: 'one' }))).layers.length, 1);
});

test('a registry marked insecure is asked without checking its certificate', async (t) => {
  const { registry, home } = await setting(t);
  await home.write('etc/containers/registries.conf', `[[registry]]\nlocation = "${registry.host}"\ninsecure = true`);
  const client = makeClient(t, home);
  t.is((await client.getManifest(ref(registry.host, 'a', { tag: 'one' }))).layers.length, 1);
});

test('what speaks TLS is told from what does not, also where it wants a certificate of its client', async (t) => {
  const { certificates, registry } = await setting(t);
  t.true(await speaksTls(registry.host));
  const [key, cert] = [await readFile(certificates.server.key), await readFile(certificates.server.certificate)];
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const strict = createServer({ key, cert, ca: cert, requestCert: true, maxVersion });
    t.teardown(() => strict.close());
    t.true(await speaksTls(await listen(strict)), maxVersion);
  }
  const plain = await startOrigin(Buffer.alloc(0));
  t.false(await speaksTls(new URL(plain.url).host));
  await plain.close();
  t.false(await speaksTls(new URL(plain.url).host));
});

test('a redirect from https to http is refused', async (t) => {
  const certificates = await makeCertificates();
  const key = await readFile(certificates.server.key);
  const cert = await readFile(certificates.server.certificate);
  const plain = await startOrigin(Buffer.from('content'));
  const server = createServer({ key, cert }, (_, response) => {
    const { port } = new URL(plain.url);
    response.writeHead(302, { location: `http://localhost:${port}/layer`, 'content-length': '0' }).end();
  });
  const host = await listen(server);
  const home = await makeHome(t);
  await home.write('etc/ssl/certs/ca-certificates.crt', certificates.authority);
  const transport = new Transport({ environment: home.environment });
  t.teardown(async () => {
    await transport.close();
    server.close();
    await plain.close();
    await certificates.remove();
  });
  const url = `https://${host}/layer`;
  await rejects(
    t,
    'CRFS_DENIED',
    async () => await openHttpSource(url, { transport, spool: home.path, policy: hasty }),
  );
  t.is(plain.requests, 0);
});

test('a client certificate is shown where the registry wants one', async (t) => {
  const all = await setting(t, true);
  const { ca, client: pair } = all.certificates;
  await install(all, 'etc/containers', 'ca.crt', ca.certificate);
  const name = ref(all.registry.host, 'a', { tag: 'one' });
  const without = makeClient(t, all.home);
  await t.throwsAsync(async () => await without.getManifest(name), { name: 'CrfsError' });
  await install(all, 'etc/containers', 'me.cert', pair.certificate);
  const incomplete = makeClient(t, all.home);
  const error = await rejects(t, 'CRFS_USAGE', async () => await incomplete.getManifest(name));
  t.regex(error.message, /me\.key/);
  await install(all, 'etc/containers', 'me.key', pair.key);
  const complete = makeClient(t, all.home);
  t.is((await complete.getManifest(name)).layers.length, 1);
});
