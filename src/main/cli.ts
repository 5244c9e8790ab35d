// SPDX-License-Identifier: GPL-3.0-or-later

import { CommanderError } from 'commander';
import { CrfsError } from './errors/error.js';
import { Interrupted } from './errors/interrupted.js';
import { escapeLine } from './output/terminal.js';
import { createProgram } from './program.js';

const FAILED = 1;
const USAGE = 2;

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(FAILED); // whoever read the output has enough of it
});

try {
  const program = await createProgram(process.argv[2]);
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError)
    process.exitCode = error.exitCode === 0 ? 0 : USAGE; // it has told why
  else if (error instanceof CrfsError) fail(error.message, error.code === 'CRFS_USAGE' ? USAGE : FAILED);
  else if (error instanceof Interrupted) fail(error.message, error.exitCode);
  else if (isSystemError(error)) fail(error.message, FAILED);
  else throw error;
}

function fail(message: string, code: number): void {
  process.stderr.write(`crfs: ${escapeLine(message)}\n`);
  process.exitCode = code;
}

/** Of a system call, which says what a person needs to know: no space, no permission. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
