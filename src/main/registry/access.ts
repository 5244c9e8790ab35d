// SPDX-License-Identifier: GPL-3.0-or-later

import { type Environment, processEnvironment, type Variables } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import type { TrustOptions } from '../policy/trust.js';
import type { Credentials } from './credentials.js';

/** In whose name registries are asked, and what is taken for true then. */
export interface Access {
  readonly environment: Environment;
  /** Credentials for the registries that images are named by. Mirrors get what is kept for them. */
  readonly login?: Credentials;
  /** Whether plain http, and certificates that nobody vouches for, will do, whatever registries.conf says. */
  readonly insecure?: boolean;
  /** The directory of certificates for every host, instead of those in certs.d. */
  readonly certs?: string;
  readonly trust: TrustOptions;
}

/** What an environment says: that of a command with its options put in, or of a mount. Throws CRFS_USAGE, and shows no secret. */
export function accessOf(variables: Variables): Access {
  const { CRFS_CREDS, CRFS_TLS_VERIFY, CRFS_CERT_DIR, CRFS_POLICY, CRFS_INSECURE_POLICY, ...env } = variables;
  const verify = flagOf('CRFS_TLS_VERIFY', CRFS_TLS_VERIFY);
  return {
    environment: { ...processEnvironment, env },
    ...(CRFS_CREDS && { login: credentialsOf(CRFS_CREDS) }),
    ...(verify !== undefined && { insecure: !verify }),
    ...(CRFS_CERT_DIR && { certs: CRFS_CERT_DIR }),
    trust: {
      ...(CRFS_POLICY && { policy: CRFS_POLICY }),
      acceptAnything: flagOf('CRFS_INSECURE_POLICY', CRFS_INSECURE_POLICY) ?? false,
    },
  };
}

function credentialsOf(given: string): Credentials {
  const [, username = '', password = ''] = /^([^:]*):?(.*)$/s.exec(given) ?? [];
  if (username === '') throw new CrfsError('CRFS_USAGE', 'CRFS_CREDS, or --creds, must be USER[:PASSWORD]');
  return { kind: 'basic', username, password };
}

function flagOf(name: string, given: string | undefined): boolean | undefined {
  if (!given) return undefined;
  if (given === 'true' || given === 'false') return given === 'true';
  throw new CrfsError('CRFS_USAGE', `${name} is ${JSON.stringify(given)}; it must be true or false`);
}
