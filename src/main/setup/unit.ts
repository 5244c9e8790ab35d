// SPDX-License-Identifier: GPL-3.0-or-later

/** The unit of systemd by which a store runs: systemd.service(5). */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Variables } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';
import type { Places } from './places.js';

const ACTS_WITHIN_MS = 60_000;

/** A unit that runs one command of crfs for as long as it stays, and starts it again where it fails. */
export interface Service {
  readonly isSystem: boolean;
  /** What has made the unit, and how that is taken back. */
  readonly made: string;
  readonly description: string;
  /** The manual page. */
  readonly page: string;
  /** A line of [Unit] besides: when it starts at all. */
  readonly condition?: string;
  /** A directory that is made before. */
  readonly directory?: string;
  readonly start: readonly string[];
  /** What is run when it has ended, whichever way. */
  readonly stop: readonly string[];
}

/** The command that serves the store; of a user in podman's own namespace, where `podman run` sees it. */
export function storeCommand(
  { isSystem, store }: Pick<Places, 'isSystem' | 'store'>,
  crfs: string,
  podman: string,
): string[] {
  return [...(isSystem ? [] : [podman, 'unshare']), crfs, 'store', store];
}

export function unitText(places: Places, command: readonly string[], crfs: string): string {
  return serviceText({
    ...storeService(places, command, crfs),
    made: 'crfs setup podman, which takes it away with --undo',
  });
}

/**
 * The unit that an installation has, for whoever enables it instead of `crfs setup podman`: with `@bin@` for the directory of
 * its command, and of a user's with `@home@` for the specifier of a home.
 */
export function installedUnit(isSystem: boolean): string {
  const store = `${isSystem ? '/var/lib' : '@home@/.local/share'}/crfs-plugin/store`;
  const crfs = '@bin@/crfs';
  const service = storeService({ isSystem, store }, storeCommand({ isSystem, store }, crfs, 'podman'), crfs);
  return serviceText({ ...service, made: 'the installation of crfs-plugin', directory: store });
}

function storeService(
  { isSystem, store }: Pick<Places, 'isSystem' | 'store'>,
  command: readonly string[],
  crfs: string,
): Omit<Service, 'made'> {
  return {
    isSystem,
    description: 'Layers of images for podman, fetched as they are read',
    page: 'crfs-store',
    start: [...command, '--foreground'],
    stop: [crfs, 'umount', '--lazy', store],
  };
}

export function serviceText({ isSystem, made, description, page, condition, directory, start, stop }: Service): string {
  const before = directory === undefined ? '' : `ExecStartPre=-mkdir -p ${quote(directory)}\n`;
  const network = ['Wants=network-online.target', 'After=network-online.target'];
  const unit = [...(isSystem ? network : []), ...(condition === undefined ? [] : [condition])];
  return `# made by ${made}
[Unit]
Description=${literal(description)}
Documentation=man:${page}(1)
${unit.map((line) => `${line}\n`).join('')}
[Service]
${before}ExecStart=${start.map(quote).join(' ')}
# of a server that was killed a mountpoint is left, at which all fails
ExecStopPost=-${stop.map(quote).join(' ')}
Restart=on-failure
# a command line that makes no sense does not come to make any
RestartPreventExitStatus=2
RestartSec=2

[Install]
WantedBy=${targetOf(isSystem)}
`;
}

/** What starts units of the machine, or of a user who logs in. */
export function targetOf(isSystem: boolean): string {
  return isSystem ? 'multi-user.target' : 'default.target';
}

/** Whether systemd can be asked to run units: the machine's, or the user's. */
export function systemdRuns({ isSystem }: Pick<Places, 'isSystem'>, env: Variables): boolean {
  const own = env['XDG_RUNTIME_DIR'];
  return isSystem ? existsSync('/run/systemd/system') : own !== undefined && existsSync(join(own, 'systemd/private'));
}

/** `systemctl` with arguments. Rejects with CRFS_INTERNAL and what it says. */
export async function systemctl({ isSystem }: Places, ...args: readonly string[]): Promise<void> {
  try {
    await promisify(execFile)('systemctl', [...(isSystem ? [] : ['--user']), ...args], { timeout: ACTS_WITHIN_MS });
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    const said = stderr.trim().split('\n')[0] || reasonOf(error);
    throw new CrfsError('CRFS_INTERNAL', `systemctl ${args.join(' ')}: ${said}`, { cause: error });
  }
}

/** A word of ExecStart=: quoted, and neither a specifier nor a variable. */
function quote(word: string): string {
  const plain = literal(word).replaceAll('$', '$$$$');
  return /^[\w%$./:@=+,-]+$/.test(plain) ? plain : `"${plain.replace(/[\\"]/g, '\\$&')}"`;
}

/** Text in which systemd is to see no specifier. */
export function literal(text: string): string {
  return text.replaceAll('%', '%%');
}
