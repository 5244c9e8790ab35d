// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Options by which a command is told how to reach registries and whom to trust, as skopeo has them. Each becomes a variable
 * of the environment, as which `crfs mount` hands it on.
 */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { CrfsError } from '../errors/error.js';

/** How the options of one of several registries begin. */
type Side = '' | 'src-' | 'dest-';

type Environment = Readonly<Record<string, string | undefined>>;

interface TrustGiven {
  policy?: string | undefined;
  insecurePolicy?: boolean | undefined;
}

export interface RegistryGiven extends TrustGiven {
  authfile?: string | undefined;
  creds?: string | undefined;
  tlsVerify?: boolean | undefined;
  certDir?: string | undefined;
}

export interface RegistriesGiven extends TrustGiven {
  authfile?: string;
  srcAuthfile?: string;
  srcCreds?: string;
  srcTlsVerify?: boolean;
  srcCertDir?: string;
  destAuthfile?: string;
  destCreds?: string;
  destTlsVerify?: boolean;
  destCertDir?: string;
}

/** For a command that reads from one registry. */
export function addRegistryOptions(command: Command): Command {
  command.option('--authfile <path>', 'the file with credentials; default: $REGISTRY_AUTH_FILE, or where podman looks');
  addReachOptions(command, '', 'the registry');
  return addTrustOptions(command);
}

/** For a command with two ends. */
export function addRegistriesOptions(command: Command): Command {
  command.option('--authfile <path>', 'the file with credentials; default: $REGISTRY_AUTH_FILE, or where podman looks');
  for (const [side, end] of [
    ['src-', 'source'],
    ['dest-', 'destination'],
  ] as const) {
    command.option(`--${side}authfile <path>`, `the same for the ${end} alone`);
    addReachOptions(command, side, `the registry of the ${end}`);
  }
  return addTrustOptions(command);
}

function addReachOptions(command: Command, side: Side, registry: string): void {
  command
    .option(`--${side}creds <user[:password]>`, `log in to ${registry}`)
    .option(`--${side}tls-verify <true|false>`, 'whether its certificate must be good; false: http will do, too', flag)
    .option(`--${side}cert-dir <path>`, `a directory with certificates (*.crt, *.cert, *.key) for ${registry}`);
}

function addTrustOptions(command: Command): Command {
  return command
    .option('--policy <path>', 'the policy that images must meet; default: where podman looks for policy.json')
    .option('--insecure-policy', 'accept all images, whatever a policy says');
}

/** The environment `base` with what was given. Throws CRFS_USAGE, and CRFS_NOT_FOUND for what is not there. */
export function environmentFor(given: RegistryGiven, base: Environment = process.env, side: Side = ''): Environment {
  const { authfile, creds, tlsVerify, certDir, policy, insecurePolicy } = given;
  // the value is not shown: it may be a password
  if (creds !== undefined && !/^[^:]/.test(creds))
    throw new CrfsError('CRFS_USAGE', `--${side}creds must be USER[:PASSWORD]`);
  const variables = {
    REGISTRY_AUTH_FILE: there('--authfile', authfile),
    CRFS_CREDS: creds,
    CRFS_TLS_VERIFY: tlsVerify?.toString(),
    CRFS_CERT_DIR: there(`--${side}cert-dir`, certDir),
    CRFS_POLICY: there('--policy', policy),
    CRFS_INSECURE_POLICY: insecurePolicy?.toString(),
  };
  return { ...base, ...Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined)) };
}

/** The environment of each end: what variables say of the one registry of other commands is about neither of the two. */
export function environmentsFor(given: RegistriesGiven): { source: Environment; destination: Environment } {
  const { authfile, policy, insecurePolicy } = given;
  const base = { ...process.env, CRFS_CREDS: undefined, CRFS_TLS_VERIFY: undefined, CRFS_CERT_DIR: undefined };
  const end = (side: 'src' | 'dest'): Environment => {
    const [own = authfile, creds] = [given[`${side}Authfile`], given[`${side}Creds`]];
    const [tlsVerify, certDir] = [given[`${side}TlsVerify`], given[`${side}CertDir`]];
    return environmentFor({ authfile: own, creds, tlsVerify, certDir, policy, insecurePolicy }, base, `${side}-`);
  };
  return { source: end('src'), destination: end('dest') };
}

function there(option: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  if (!existsSync(path)) throw new CrfsError('CRFS_NOT_FOUND', `${option}: there is no ${path}`);
  return resolve(path);
}

function flag(given: string): boolean {
  if (given === 'true' || given === 'false') return given === 'true';
  throw new InvalidArgumentError('It is true or false.');
}
