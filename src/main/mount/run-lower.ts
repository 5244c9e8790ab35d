// SPDX-License-Identifier: GPL-3.0-or-later

/** Running crfs-lower, which makes a mount, and serves it. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { driverAt, type Kind } from './driver.js';
import { findLower, LOWER } from './lower.js';
import type { MountRequest, Served } from './request.js';
import { unmountLayers } from './umount.js';
import { untilMounted } from './until-mounted.js';

/** What it says, in one line: what of, and why. */
const SAID = /^crfs: (.+)$/;

/** What to run it with. */
export interface LowerRun extends Pick<MountRequest, 'environment' | 'foreground' | 'signal' | 'passOn'> {
  readonly args: readonly string[];
  readonly mountpoint: string;
  /** What is to be mounted there then. */
  readonly as: Kind;
}

/** It has mounted nothing. */
export interface NotMounted {
  readonly exitCode: number | null;
  /** What it said of that. */
  readonly why: string;
}

/** Waits until it has mounted, or tells why not. Throws the signal's reason. */
export async function runLower(run: LowerRun): Promise<Served | NotMounted> {
  const { args, environment, foreground, mountpoint, passOn, signal, as } = run;
  const all = [...(foreground ? ['--foreground'] : []), ...args];
  const server = spawn(findLower(), all, { env: environment, stdio: ['ignore', 'inherit', 'pipe'] });
  const said: string[] = [];
  let mounted = false;
  createInterface({ input: server.stderr }).on('line', (line) => {
    if (mounted) passOn(line);
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
  await (foreground ? untilMounted(mountpoint, as, ended) : ended);
  mounted = driverAt(mountpoint) === as;
  if (mounted && signal.aborted && !foreground) await unmountLayers(mountpoint, true); // it came too late to stop it
  signal.throwIfAborted();
  if (mounted) return { ended: foreground ? ended : undefined };
  const why = said.map((line) => SAID.exec(line)?.[1]).find((text) => text !== undefined);
  const otherwise = `${LOWER} has not mounted ${JSON.stringify(mountpoint)}: ${said.join(' ') || 'it does not tell why'}`;
  return { exitCode: server.exitCode, why: why ?? otherwise };
}
