// SPDX-License-Identifier: GPL-3.0-or-later

/** What `crfs mount --persist` does besides mounting. */

import { resolve } from 'node:path';
import { processEnvironment } from '../environment/environment.js';
import { escapeLine } from '../output/terminal.js';
import { checkLasting, type Lasting } from '../setup/lasting.js';
import { mountsForMachine, type Persisted } from '../setup/persist.js';
import type { MountingGiven } from './lazy-option.js';

export interface LastingGiven extends MountingGiven {
  driver: string;
  upper?: string;
  work?: string;
  lower?: string[];
  option?: string[];
  platform?: string;
}

/** What has to come back of a mount that is asked for. Throws CRFS_USAGE for what cannot. */
export function lastingOf(configuration: string, mountpoint: string, given: LastingGiven): Lasting {
  const { driver, upper, work, lower = [], option = [], lazy, platform } = given;
  const { authfile, creds, tlsVerify, certDir, policy, insecurePolicy } = given;
  const all: readonly (readonly [string, string | undefined])[] = [
    ['driver', driver === 'auto' ? undefined : driver],
    ['upper', absolute(upper)],
    ['work', absolute(work)],
    ...lower.map((path) => ['lower', absolute(path)] as const),
    ...option.map((one) => ['option', one] as const),
    ['lazy', lazy],
    ['platform', platform],
    ['authfile', absolute(authfile)],
    ['creds', creds],
    ['tls-verify', tlsVerify?.toString()],
    ['cert-dir', absolute(certDir)],
    ['policy', absolute(policy)],
    ['insecure-policy', insecurePolicy ? '' : undefined],
  ];
  const options = all.filter((pair): pair is readonly [string, string] => pair[1] !== undefined);
  const lasting = { isSystem: mountsForMachine(processEnvironment), mountpoint, configuration, options };
  checkLasting(lasting);
  return lasting;
}

function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path);
}

/** A line of what is printed. */
export function renderPersisted(persisted: Persisted): string {
  if ('unit' in persisted) return `  comes back at each start, by ${escapeLine(persisted.unit)}\n`;
  const what = 'fstab' in persisted ? `by this line of /etc/fstab: ${persisted.fstab}` : `by ${persisted.command}`;
  return `  no systemd runs here: it comes back ${escapeLine(what)}\n`;
}
