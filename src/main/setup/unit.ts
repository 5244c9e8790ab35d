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

/** The command that serves the store; of a user in podman's own namespace, where `podman run` sees it. */
export function storeCommand({ isSystem, store }: Places, crfs: string, podman: string): string[] {
  return [...(isSystem ? [] : [podman, 'unshare']), crfs, 'store', store];
}

export function unitText(places: Places, command: readonly string[], crfs: string): string {
  const network = places.isSystem ? 'Wants=network-online.target\nAfter=network-online.target\n' : '';
  return `# made by crfs setup podman, which takes it away with --undo
[Unit]
Description=Layers of images for podman, fetched as they are read
Documentation=man:crfs-store(1)
${network}
[Service]
ExecStart=${[...command, '--foreground'].map(quote).join(' ')}
# of a server that was killed a mountpoint is left, at which podman fails
ExecStopPost=-${[crfs, 'umount', '--lazy', places.store].map(quote).join(' ')}
Restart=on-failure

[Install]
WantedBy=${places.isSystem ? 'multi-user.target' : 'default.target'}
`;
}

/** Whether systemd can be asked to run units: the machine's, or the user's. */
export function systemdRuns({ isSystem }: Places, env: Variables): boolean {
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
  const plain = word.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w%$./:@=+,-]+$/.test(plain) ? plain : `"${plain.replace(/[\\"]/g, '\\$&')}"`;
}
