// SPDX-License-Identifier: GPL-3.0-or-later

import { CrfsError } from './errors/error.js';
import { Interrupted } from './errors/interrupted.js';
import { reasonOf } from './errors/reason.js';
import { escapeLine } from './output/terminal.js';

const FAILED = 1;
const USAGE = 2;

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(FAILED); // whoever read the output has enough of it
});

try {
  await (startedByMount() ?? parse());
} catch (error) {
  if (error instanceof CrfsError) fail(error.message, error.code === 'CRFS_USAGE' ? USAGE : FAILED);
  else if (error instanceof Interrupted) fail(error.message, error.exitCode);
  else if (isSystemError(error)) fail(`${error.path ?? error.syscall}: ${reasonOf(error)}`, FAILED);
  else throw error;
}

/** The daemon, where a mount starts it, and waits: it does without what reads command lines, which takes long to load. */
function startedByMount(): Promise<void> | undefined {
  const [command, flag, fd = '', ...rest] = process.argv.slice(2);
  if (command !== 'daemon' || flag !== '--ready-fd' || !/^\d{1,4}$/.test(fd) || rest.length > 0) return undefined;
  return import('./daemon/run.js').then(({ runDaemon }) => runDaemon({}, { readyFd: Number(fd) }));
}

async function parse(): Promise<void> {
  const { CommanderError } = await import('commander');
  const { createProgram } = await import('./program.js');
  const program = await createProgram(process.argv[2]);
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? 0 : USAGE; // it has told why
  }
}

function fail(message: string, code: number): void {
  process.stderr.write(`crfs: ${escapeLine(message)}\n`);
  process.exitCode = code;
}

/** Of a system call, which says what a person needs to know: no space, no permission. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
