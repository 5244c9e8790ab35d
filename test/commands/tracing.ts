// SPDX-License-Identifier: GPL-3.0-or-later

/** `crfs trace`, run beside a test. */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { ExecutionContext } from 'ava';
import { crfs, type Machine } from '../tools/machine.js';

export interface Trace {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  /** What it has said when it began. */
  readonly told: string;
  readonly lines: string[];
  /** The exit code, once it has ended. */
  readonly ended: Promise<number | null>;
}

/** Resolves when the trace has begun. */
export async function trace(t: ExecutionContext, machine: Machine, args: readonly string[]): Promise<Trace> {
  const child = spawn(crfs, ['trace', ...args], {
    env: machine.env,
    cwd: machine.root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const [told] = (await once(child.stderr, 'data')) as [Buffer];
  t.regex(String(told), /^tracing .*: \^C ends it\n/);
  return { child, told: String(told), lines, ended: once(child, 'close').then(([code]) => code as number | null) };
}
