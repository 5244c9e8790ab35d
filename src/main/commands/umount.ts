// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { unmountLayers } from '../mount/umount.js';
import { escapeName, toJson } from '../output/terminal.js';

/** `crfs umount` */
export function addUmount(program: Command): void {
  program
    .command('umount')
    .description('take a mount away')
    .argument('<merged>', 'where it is')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  crfs umount merged')
    .action(async (merged: string, { json }: { json?: boolean }) => {
      const mountpoint = await unmountLayers(merged);
      process.stdout.write(json ? `${toJson({ mountpoint })}\n` : `${escapeName(mountpoint)}: unmounted\n`);
    });
}
