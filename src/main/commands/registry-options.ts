// SPDX-License-Identifier: GPL-3.0-or-later

/** Options by which a command is told how to reach registries, as skopeo has them. */

import { existsSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { here } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import type { Credentials } from '../registry/auth-file.js';
import { type ClientOptions, RegistryClient } from '../registry/client.js';

const TLS_VERIFY = 'whether its certificate must be good; false: http will do, too';

export interface RegistryGiven {
  authfile?: string;
  srcCreds?: Credentials;
  destCreds?: Credentials;
  srcTlsVerify?: boolean;
  destTlsVerify?: boolean;
}

export function addRegistryOptions(command: Command): Command {
  return command
    .option('--authfile <path>', 'the file with credentials; default: $REGISTRY_AUTH_FILE, or where podman looks')
    .option('--src-creds <user:password>', 'log in to the registry of the source', credentials)
    .option('--dest-creds <user:password>', 'log in to the registry of the destination', credentials)
    .option('--src-tls-verify <true|false>', TLS_VERIFY, flag)
    .option('--dest-tls-verify <true|false>', TLS_VERIFY, flag);
}

/** A client for each end; `spool` is where they keep temporary files. Throws CRFS_NOT_FOUND if the file with credentials is not there. */
export function clientsFor(
  given: RegistryGiven,
  spool: string,
): { source: RegistryClient; destination: RegistryClient } {
  const { authfile, srcCreds, destCreds, srcTlsVerify, destTlsVerify } = given;
  if (authfile !== undefined && !existsSync(authfile))
    throw new CrfsError('CRFS_NOT_FOUND', `--authfile: there is no ${authfile}`);
  const env = authfile === undefined ? here.env : { ...here.env, REGISTRY_AUTH_FILE: authfile };
  const open = (login: Credentials | undefined, verify: boolean | undefined): RegistryClient => {
    const options: ClientOptions = { spool, surroundings: { ...here, env } };
    return new RegistryClient({
      ...options,
      ...(login && { login }),
      ...(verify !== undefined && { insecure: !verify }),
    });
  };
  return { source: open(srcCreds, srcTlsVerify), destination: open(destCreds, destTlsVerify) };
}

function credentials(given: string): Credentials {
  const [, username = '', password = ''] = /^([^:]*):?(.*)$/s.exec(given) ?? [];
  if (username === '') throw new InvalidArgumentError('It is USER:PASSWORD.');
  return { kind: 'basic', username, password };
}

function flag(given: string): boolean {
  if (given === 'true' || given === 'false') return given === 'true';
  throw new InvalidArgumentError('It is true or false.');
}
