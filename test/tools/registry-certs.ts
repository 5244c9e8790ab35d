// SPDX-License-Identifier: GPL-3.0-or-later

/** Keys and certificates for tests, by openssl: a CA of its own, a server on this machine, a client. */

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface Pair {
  /** Paths of PEM files. */
  readonly certificate: string;
  readonly key: string;
}

export interface Certificates {
  readonly directory: string;
  readonly ca: Pair;
  /** The CA's certificate itself. */
  readonly authority: string;
  /** For 127.0.0.1, and another name if one is given. */
  readonly server: Pair;
  readonly client: Pair;
  remove(): Promise<void>;
}

async function openssl(...args: string[]): Promise<void> {
  await promisify(execFile)('openssl', args);
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export async function makeCertificates(host = 'localhost'): Promise<Certificates> {
  const directory = await mkdtemp(join(tmpdir(), 'crfs-certs-'));
  const pair = (name: string): Pair => ({
    certificate: join(directory, `${name}.crt`),
    key: join(directory, `${name}.key`),
  });
  const ca = pair('ca');
  await openssl(
    'req',
    '-x509',
    ...NEW_KEY,
    '-days',
    '2',
    '-subj',
    '/CN=test CA',
    '-keyout',
    ca.key,
    '-out',
    ca.certificate,
  );
  const sign = async (name: string, extensions: string): Promise<Pair> => {
    const made = pair(name);
    const request = join(directory, `${name}.csr`);
    await openssl('req', ...NEW_KEY, '-subj', `/CN=${name}`, '-keyout', made.key, '-out', request);
    const file = join(directory, `${name}.ext`);
    await writeFile(file, extensions);
    const authority = ['-CA', ca.certificate, '-CAkey', ca.key, '-CAcreateserial', '-extfile', file];
    await openssl('x509', '-req', '-in', request, ...authority, '-days', '2', '-out', made.certificate);
    return made;
  };
  return {
    directory,
    ca,
    authority: await readFile(ca.certificate, 'utf8'),
    server: await sign('server', `subjectAltName=IP:127.0.0.1,DNS:${host}\nextendedKeyUsage=serverAuth\n`),
    client: await sign('client', 'extendedKeyUsage=clientAuth\n'),
    async remove() {
      await rm(directory, { recursive: true });
    },
  };
}
