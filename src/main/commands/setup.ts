// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { processEnvironment } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { escapeLine } from '../output/terminal.js';
import { tellingIfSlow } from '../output/waiting.js';
import { type Places, placesOf } from '../setup/places.js';
import { askPodman } from '../setup/podman.js';
import { programs } from '../setup/programs.js';
import { type Plan, planSetup, planUndo } from '../setup/setup.js';
import { hasRun, storageOf } from '../setup/storage.js';

interface Given {
  undo?: boolean;
  system?: boolean;
  dryRun?: boolean;
}

const HELP = `
Has podman take layers from a store of crfs: then \`podman run IMAGE\` starts
without pulling what can be fetched as it is read. It makes a directory, names
it in podman's storage.conf, and has systemd run the store; what it does is
told.

Examples:
  crfs setup podman
  sudo crfs setup podman --system
  crfs setup podman --undo`;

/** `crfs setup podman` */
export function addSetup(program: Command): void {
  program
    .command('setup')
    .description('set other programs up to use crfs')
    .addHelpText('after', '\nExample:\n  crfs setup podman')
    .command('podman')
    .description('have podman fetch images as they are read, with nothing else to type')
    .option('--undo', 'take all of it back, unless images or containers need it')
    .option('--system', "for root's containers; else for your own")
    .option('--dry-run', 'tell what would be done, and do nothing')
    .addHelpText('after', HELP)
    .action(setupPodman);
}

async function setupPodman({ undo = false, system = false, dryRun = false }: Given): Promise<void> {
  const isRoot = process.geteuid?.() === 0;
  if (Number(process.env['_CONTAINERS_ROOTLESS_UID'] ?? 0) !== 0)
    throw new CrfsError('CRFS_USAGE', "this is podman's namespace: run it without `podman unshare`");
  if (system && !isRoot) throw new CrfsError('CRFS_DENIED', '--system takes root');
  const places = placesOf(processEnvironment, isRoot);
  const planning = undo ? planUndo(places, processEnvironment) : planSetup(places, processEnvironment, programs());
  const plan = await tellingIfSlow('asking podman', planning);
  await carryOut(plan, dryRun, undo);
  if (!dryRun && plan.steps.length > 0) await tellingIfSlow('asking podman', checkAfterwards(places, undo));
}

async function carryOut({ steps, left }: Plan, dryRun: boolean, undo: boolean): Promise<void> {
  for (const { says, act } of steps) {
    if (!dryRun) await act();
    process.stdout.write(`${dryRun ? 'would ' : ''}${says.split('\n').map(escapeLine).join('\n')}\n`);
  }
  if (steps.length === 0) process.stdout.write(undo ? 'Nothing is set up.\n' : 'All of it is set up.\n');
  for (const line of left) process.stdout.write(`${escapeLine(line)}\n`);
}

async function checkAfterwards(places: Places, undo: boolean): Promise<void> {
  if (undo && !hasRun(storageOf(places, process.env).graphRoot)) return; // it would make its storage now
  try {
    await askPodman();
  } catch (error) {
    if (!(error instanceof CrfsError)) throw error;
    if (undo && error.code === 'CRFS_NOT_FOUND') return; // podman itself has gone
    const back = undo ? '' : '; `crfs setup podman --undo` takes back what was done';
    throw new CrfsError(error.code, `${error.message}${back}`, { cause: error });
  }
}
