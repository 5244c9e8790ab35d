// SPDX-License-Identifier: GPL-3.0-or-later

import { CrfsError } from './errors/error.js';
import { Interrupted } from './errors/interrupted.js';
import { reasonOf } from './errors/reason.js';
import { tellError } from './output/tell.js';

const FAILED = 1;
const USAGE = 2;

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // EPIPE: whoever read the output has enough of it
  if (error.code !== 'EPIPE') fail(`cannot write to standard output: ${reasonOf(error)}`, error.code ?? '', FAILED);
  process.exit(FAILED);
});
process.stderr.on('error', () => undefined); // nobody listens: the work goes on, and its exit code tells the rest

try {
  await (startsDaemon() ? startedByMount() : parse());
} catch (error) {
  if (error instanceof CrfsError) fail(error.message, error.code, error.code === 'CRFS_USAGE' ? USAGE : FAILED);
  else if (error instanceof Interrupted) fail(error.message, error.code, error.exitCode);
  else if (isSystemError(error)) fail(`${subjectOf(error)}: ${reasonOf(error)}`, error.code ?? 'CRFS_INTERNAL', FAILED);
  else throw error;
  if (startsDaemon()) process.exit(); // whatever it has begun by then: another process tries again
}

/** Whether a mount has started this process, to be its daemon. */
function startsDaemon(): boolean {
  const [command, flag, fd = '', ...rest] = process.argv.slice(2);
  return command === 'daemon' && flag === '--ready-fd' && /^\d{1,4}$/.test(fd) && rest.length === 0;
}

/** The mount waits: this does without what reads command lines, which takes long to load. */
async function startedByMount(): Promise<void> {
  const { runDaemon } = await import('./daemon/run.js');
  await runDaemon({}, { readyFd: Number(process.argv[4]) });
}

async function parse(): Promise<void> {
  const { CommanderError } = await import('commander');
  const { createProgram } = await import('./program.js');
  const args = process.argv.slice(2);
  if (args[0] === '--version' || args[0] === '-V') args[0] = 'version';
  const program = await createProgram(args[0]);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? 0 : USAGE; // it has told why
  }
}

function fail(message: string, code: string, exitCode: number): void {
  tellError(message, code);
  process.exitCode = exitCode;
}

/** Of a system call, which says what a person needs to know: no space, no permission. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

function subjectOf({ path, syscall }: NodeJS.ErrnoException): string | undefined {
  return path ?? (syscall === 'uv_cwd' ? 'the working directory' : syscall);
}
