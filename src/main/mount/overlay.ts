// SPDX-License-Identifier: GPL-3.0-or-later

/** Mounting with the kernel's overlay: crfs-lower makes the mount, and serves the layers. */

import { CrfsError, type ErrorCode } from '../errors/error.js';
import { findLower } from './lower.js';
import type { CheckedRequest, Served } from './request.js';
import { runLower } from './run-lower.js';

/** The exit status of crfs-lower where the machine, or these rights, cannot mount layers in this way. */
const NO_OVERLAY = 3;

/** What it says of an option that the kernel does not know. */
const UNKNOWN = /^(.*): [^:]*: overlay: Unknown parameter '.*'$/;

/** The kernel's overlay cannot be had here: the message says why. */
export class NoOverlay extends Error {
  /** Of the error that this is, for who wants no other driver. */
  readonly code: ErrorCode;

  constructor(said: string) {
    const [, option] = UNKNOWN.exec(said) ?? [];
    super(option === undefined ? said : `-o ${option}: it has no such option`);
    this.code = option === undefined ? 'CRFS_INTERNAL' : 'CRFS_USAGE';
  }
}

/**
 * Mounts layers, and waits until they are there. Throws NoOverlay;
 * CRFS_INTERNAL where the layers cannot be had, with the reason; and the signal's reason.
 */
export async function mountWithOverlay(request: CheckedRequest): Promise<Served> {
  request.tell(`trying the kernel's overlay, served by ${findLower()}`);
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
