// SPDX-License-Identifier: GPL-3.0-or-later

/** Mounting with the kernel's overlay: crfs-lower makes the mount, and serves the layers. */

import { CrfsError } from '../errors/error.js';
import type { CheckedRequest, Served } from './request.js';
import { runLower } from './run-lower.js';

/** The exit status of crfs-lower where the machine, or these rights, cannot mount layers in this way. */
const NO_OVERLAY = 3;

/** The kernel's overlay cannot be had here: the message says why. */
export class NoOverlay extends Error {}

/**
 * Mounts layers, and waits until they are there. Throws NoOverlay;
 * CRFS_INTERNAL where the layers cannot be had, with the reason; and the signal's reason.
 */
export async function mountWithOverlay(request: CheckedRequest): Promise<Served> {
  const done = await runLower({ ...request, args: argumentsFor(request), as: 'overlay' });
  if (!('why' in done)) return done;
  if (done.exitCode === NO_OVERLAY) throw new NoOverlay(done.why.replace(/^.*?: /, ''));
  throw new CrfsError('CRFS_INTERNAL', done.why);
}

function argumentsFor({ configuration, upper, work, lower, given, mountpoint }: CheckedRequest): string[] {
  return [
    ...lower.flatMap((directory) => ['--lower', directory]),
    ...(upper === undefined || work === undefined ? [] : ['--upper', upper, '--work', work]),
    ...given.flatMap((option) => ['--option', option]),
    '--',
    configuration,
    mountpoint,
  ];
}
