// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { askStatus } from '../daemon/ask.js';
import { driverAt } from '../mount/driver.js';
import { mountArguments } from '../mount/fstab.js';
import { mountpointOf } from '../mount/mountpoint.js';
import { addMount } from './mount.js';

interface Given {
  options?: string;
  f?: boolean;
}

/** `crfs mount-helper`: what bin/mount.fuse.crfs runs, as mount(8) calls it. */
export function addMountHelper(program: Command): void {
  program
    .command('mount-helper', { hidden: true })
    .argument('<source>')
    .argument('<dir>')
    .option('-o, --options <options>', '', '')
    .option('-f', 'mount nothing')
    .option('-s')
    .option('-n')
    .option('-v')
    .option('-t <type>')
    .action(async (source: string, directory: string, { options = '', f = false }: Given) => {
      if (f || (await isMounted(source, directory))) return;
      if (!program.commands.some((command) => command.name() === 'mount')) addMount(program);
      const args = ['mount', ...mountArguments(options), '--', source, directory];
      await program.parseAsync(args, { from: 'user' });
    });
}

/** Whether just this is mounted there: `mount -a` asks for what is in fstab once more. */
async function isMounted(source: string, directory: string): Promise<boolean> {
  const mountpoint = mountpointOf(directory);
  if (driverAt(mountpoint) === undefined) return false;
  const status = await askStatus();
  return status?.mounts.some((one) => one.mountpoint === mountpoint && one.configurations.includes(source)) ?? false;
}
