// SPDX-License-Identifier: GPL-3.0-or-later

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { look } from '../daemon/processes.js';
import { CrfsError } from '../errors/error.js';
import { interruptingSignals } from '../errors/interrupted.js';
import type { Engine } from './engine.js';
import type { RunDirectory } from './mounter.js';

/** How long a container may take to end when it was told to. */
const ENDS_WITHIN_MS = 10_000;

/**
 * Runs a container in the foreground, and passes signals on to it; one that does not end after SIGTERM or SIGHUP is killed.
 * Resolves to its exit code, as shells tell of it. From then on signals do nothing: what is left to do is to tidy up.
 * Throws CRFS_NOT_FOUND without the engine.
 */
export async function attend(
  [program = '', ...args]: readonly string[],
  engine: Engine,
  { idFile, lock }: RunDirectory,
): Promise<number> {
  const child: ChildProcess = spawn(program, args, { stdio: ['inherit', 'inherit', 'inherit', lock] }); // it may outlive us
  let timer: NodeJS.Timeout | undefined;
  const kill = (): void => {
    const id = look(() => readFileSync(idFile, 'utf8').trim());
    const [killer = '', ...rest] = id === undefined ? [] : engine.kill(id);
    if (killer === '')
      child.kill('SIGKILL'); // it had not come so far
    else execFile(killer, rest, () => undefined);
  };
  for (const signal of interruptingSignals) {
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal); // a terminal sends ^C to all that runs there
      if (signal !== 'SIGINT') timer ??= setTimeout(kill, ENDS_WITHIN_MS);
    });
  }
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        const why = error.code === 'ENOENT' ? `${program} is not installed` : error.message;
        reject(new CrfsError('CRFS_NOT_FOUND', why, { cause: error }));
      });
      child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal as NodeJS.Signals]));
    });
  } finally {
    clearTimeout(timer);
  }
}
