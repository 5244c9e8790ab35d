// SPDX-License-Identifier: GPL-3.0-or-later

/** What a registry's TLS is checked against: the system's CAs, and certs.d as containers-certs.d(5) has it. */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import type { Environment } from '../environment/environment.js';
import { configHomeOf, isMissing, readConfiguration } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';

/** Where distributions keep the CAs that an administrator trusts, below /etc. */
const BUNDLES = ['ssl/certs/ca-certificates.crt', 'pki/tls/certs/ca-bundle.crt', 'ssl/ca-bundle.pem', 'ssl/cert.pem'];

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readConfiguration(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    if (error instanceof CrfsError) throw error;
    throw new CrfsError('CRFS_USAGE', `cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/** The directory of certificates for `host` (with its port, where the name has one), or undefined. The user's comes first. */
export async function certsDirectory(host: string, environment: Environment): Promise<string | undefined> {
  const { etc } = environment;
  for (const base of [join(configHomeOf(environment), 'containers'), join(etc, 'containers'), join(etc, 'docker')]) {
    const path = join(base, 'certs.d', host);
    try {
      await readdir(path);
      return path;
    } catch (error) {
      if (!isMissing(error)) throw new CrfsError('CRFS_USAGE', `cannot read the directory ${path}`, { cause: error });
    }
  }
  return undefined;
}

/** The CAs of the system, or those that SSL_CERT_FILE and SSL_CERT_DIR name instead, as programs written in Go read them. */
async function systemRoots({ env, etc }: Environment): Promise<string[]> {
  const roots: string[] = [];
  const named = env['SSL_CERT_FILE'];
  for (const path of named ? [named] : BUNDLES.map((bundle) => join(etc, bundle))) {
    const bundle = await readIfThere(path);
    if (bundle === undefined) continue;
    roots.push(bundle);
    break;
  }
  for (const directory of env['SSL_CERT_DIR']?.split(':') ?? []) roots.push(...(await certificatesIn(directory)));
  return roots.length > 0 ? roots : [...rootCertificates];
}

/** The PEM files of a directory; what is none, or cannot be read, is left out. */
async function certificatesIn(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => []);
  const files = await Promise.all(names.map((name) => readConfiguration(join(directory, name)).catch(() => '')));
  return files.filter((text) => text.includes('-----BEGIN CERTIFICATE-----'));
}

async function readOrRefuse(path: string): Promise<string> {
  const text = await readIfThere(path);
  if (text === undefined) throw new CrfsError('CRFS_USAGE', `cannot read ${path}: there is no such file`);
  return text;
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    throw new CrfsError('CRFS_USAGE', `cannot read the directory ${directory}`, { cause: error });
  }
}

/**
 * A TLS context that trusts the system's CAs, if `roots` (they take long to load), and those in `directory` (`*.crt`), and shows
 * its client certificates (`NAME.cert` with `NAME.key`). Rejects with CRFS_USAGE if a file cannot be read or used.
 */
export async function secureContext(
  directory: string | undefined,
  environment: Environment,
  { roots }: { readonly roots: boolean },
): Promise<SecureContext> {
  const ca = roots ? await systemRoots(environment) : [];
  const cert: string[] = [];
  const key: string[] = [];
  for (const name of directory === undefined ? [] : (await namesIn(directory)).sort()) {
    const path = join(directory ?? '', name);
    if (name.endsWith('.crt')) ca.push(await readOrRefuse(path));
    if (!name.endsWith('.cert')) continue;
    const keyPath = `${path.slice(0, -'.cert'.length)}.key`;
    const pair = await readIfThere(keyPath);
    if (pair === undefined)
      throw new CrfsError('CRFS_USAGE', `the client certificate ${path} has no key: ${keyPath} is missing`);
    cert.push(await readOrRefuse(path));
    key.push(pair);
  }
  try {
    return createSecureContext({ ca, cert, key });
  } catch (error) {
    throw new CrfsError(
      'CRFS_USAGE',
      `the certificates in ${directory ?? 'the system bundle'} cannot be used: ${String(error)}`,
      { cause: error },
    );
  }
}
