// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { type Unmounted, unmountLayers } from '../mount/umount.js';
import { escapeName, toJson } from '../output/terminal.js';
import { tellingIfSlow } from '../output/waiting.js';

const HELP = `
A mount that was made in another mount namespace of yours, by \`podman unshare\`
or \`unshare -m\`, is found there.

Examples:
  crfs umount merged
  crfs umount --lazy merged`;

/** `crfs umount` */
export function addUmount(program: Command): void {
  program
    .command('umount')
    .description('take a mount away')
    .argument('<merged>', 'where it is')
    .option('--lazy', 'have it go from sight at once, and wholly when nobody uses it any more')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async (merged: string, { lazy = false, json }: { lazy?: boolean; json?: boolean }) => {
      const unmounted = await tellingIfSlow(`unmounting ${merged}`, unmountLayers(merged, lazy));
      const { mountpoint, isLeft } = unmounted;
      process.stdout.write(json ? `${toJson({ mountpoint, isLeft })}\n` : `${render(unmounted)}\n`);
    });
}

function render({ mountpoint, namespaceOf, isLeft }: Unmounted): string {
  const where = namespaceOf === undefined ? '' : `, in the mount namespace of pid ${namespaceOf}`;
  if (!isLeft) return `${escapeName(mountpoint)}: unmounted${where}`;
  return `${escapeName(mountpoint)}: ended${where}; the mountpoint is dead there until it is unmounted in it, or it ends`;
}
