// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { CrfsError } from '../errors/error.js';
import { Interrupted, Interruption } from '../errors/interrupted.js';
import { mountStore } from '../mount/store.js';
import { unmountLayers } from '../mount/umount.js';
import { passOn } from '../output/tell.js';
import { escapeName, toJson } from '../output/terminal.js';
import { tellingIfSlow } from '../output/waiting.js';
import { addRegistryOptions, environmentFor, type RegistryGiven } from './registry-options.js';

const LONGEST_PATIENCE = 3600;

interface Given extends RegistryGiven {
  patience: string;
  foreground?: boolean;
  json?: boolean;
}

const HELP = `
podman takes lazy layers from there, and pulls all others as ever, once
storage.conf names the directory, which must be there whenever podman runs:

  [storage.options]
  additionallayerstores = ["/run/crfs/store:ref"]

An ordinary user puts \`podman unshare\` in front. \`crfs umount\` takes the
store away: containers that run go on, others of its images start when it is
mounted again.

Examples:
  crfs store /run/crfs/store
  podman unshare crfs store ~/.local/share/crfs-store
  crfs umount /run/crfs/store`;

/** `crfs store` */
export function addStore(program: Command): void {
  const command = program
    .command('store')
    .description('mount a store from which podman takes lazy layers by itself')
    .argument('<dir>', 'the directory to mount at, which storage.conf names')
    .option('--patience <time>', 'how long podman may be kept waiting for a registry, such as 5s', '5s');
  addRegistryOptions(command)
    .option('-f, --foreground', 'stay until it is unmounted')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(store);
}

async function store(written: string, given: Given): Promise<void> {
  const { foreground = false } = given;
  const { signal } = new Interruption();
  const patienceSeconds = parsePatience(given.patience);
  const how = { environment: environmentFor(given), foreground, passOn, signal };
  const request = { directory: written, patienceSeconds, ...how };
  try {
    const { directory, ended } = await tellingIfSlow(`mounting ${written}`, mountStore(request));
    if (signal.aborted && !ended) await unmountLayers(directory, true);
    if (!ended) signal.throwIfAborted();
    process.stdout.write(given.json ? `${toJson({ directory })}\n` : `${escapeName(directory)}: a store of layers\n`);
    if (ended && !(await ended)) process.exitCode = 1;
  } catch (error) {
    if (!foreground || !(error instanceof Interrupted)) throw error; // to end it is what signals are for there
  }
}

/** `5s`, `500ms`, `1m`; a bare number is of seconds. */
function parsePatience(written: string): number {
  const [, digits = '', unit = 's'] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m)?$/.exec(written) ?? [];
  const seconds = digits === '' ? 0 : Number(digits) * { ms: 0.001, s: 1, m: 60 }[unit as 'ms' | 's' | 'm'];
  if (seconds > 0 && seconds <= LONGEST_PATIENCE) return seconds;
  const what = 'it must be a time of up to an hour, such as 5s, 500ms or 1m';
  throw new CrfsError('CRFS_USAGE', `--patience ${JSON.stringify(written)}: ${what}`);
}
