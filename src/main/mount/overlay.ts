// SPDX-License-Identifier: GPL-3.0-or-later

/** Mounting with the kernel's overlay: crfs-lower makes the mount, and serves the layers. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { CrfsError } from '../errors/error.js';
import { driverAt } from './driver.js';
import { findLower, LOWER } from './lower.js';
import type { CheckedRequest, Served } from './request.js';
import { unmountLayers } from './umount.js';
import { untilMounted } from './until-mounted.js';

/** The exit status of crfs-lower where the machine, or these rights, cannot mount layers in this way. */
const NO_OVERLAY = 3;
/** What it says, in one line: what of, and why. */
const SAID = /^crfs: (.+)$/;

/** The kernel's overlay cannot be had here: the message says why. */
export class NoOverlay extends Error {}

/**
 * Mounts layers, and waits until they are there. Throws NoOverlay;
 * CRFS_INTERNAL where the layers cannot be had, with the reason; and the signal's reason.
 */
export async function mountWithOverlay(request: CheckedRequest): Promise<Served> {
  const { environment, foreground, mountpoint, signal } = request;
  const server = spawn(findLower(), argumentsFor(request), { env: environment, stdio: ['ignore', 'inherit', 'pipe'] });
  const said: string[] = [];
  let mounted = false;
  createInterface({ input: server.stderr }).on('line', (line) => {
    if (mounted) process.stderr.write(`${line}\n`);
    else said.push(line);
  });
  const closed = once(server, 'close');
  const ended = once(server, 'exit').then(async () => {
    if (signal.aborted)
      server.stderr.destroy(); // what it started ends when it cannot give its mount to anybody
    else await closed;
    return server.exitCode === 0 || signal.aborted;
  });
  signal.addEventListener('abort', () => server.kill());
  await (foreground ? untilMounted(mountpoint, 'overlay', ended) : ended);
  mounted = driverAt(mountpoint) === 'overlay';
  if (mounted && signal.aborted && !foreground) await unmountLayers(mountpoint, true); // it came too late to stop it
  signal.throwIfAborted();
  if (mounted) return { ended: foreground ? ended : undefined };
  const why = said.map((line) => SAID.exec(line)?.[1]).find((text) => text !== undefined);
  if (server.exitCode === NO_OVERLAY) throw new NoOverlay(why?.replace(/^.*?: /, '') ?? `${LOWER} does not tell why`);
  throw new CrfsError(
    'CRFS_INTERNAL',
    why ?? `${LOWER} has not mounted ${JSON.stringify(mountpoint)}: ${said.join(' ')}`,
  );
}

function argumentsFor({ configuration, upper, work, lower, given, foreground, mountpoint }: CheckedRequest): string[] {
  return [
    ...(foreground ? ['--foreground'] : []),
    ...lower.flatMap((directory) => ['--lower', directory]),
    ...(upper === undefined || work === undefined ? [] : ['--upper', upper, '--work', work]),
    ...given.flatMap((option) => ['--option', option]),
    '--',
    configuration,
    mountpoint,
  ];
}
