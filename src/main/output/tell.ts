// SPDX-License-Identifier: GPL-3.0-or-later

/** What is told on stderr: lines for a person; with --json, JSON for the program that asked for it, an object a line. */

import { withoutPasswords } from '../errors/passwords.js';
import { escapeLine, toJson } from './terminal.js';

const isForProgram = wantsJson(process.argv.slice(2));

/** Also of a command line that is wrong otherwise: whoever reads JSON reads that, too. `run` hands such a word on. */
function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return args[0] !== 'run' && args.slice(0, end < 0 ? undefined : end).includes('--json');
}

/** Why a command has failed. `code`: CRFS_…, or what a system call has failed with. */
export function tellError(message: string, code: string): void {
  tell('error', '', message, { code });
}

/** Something that has to be known even where everything else is quiet. */
export function warn(message: string): void {
  tell('warning', 'warning: ', message);
}

/** Something that is good to know. */
export function note(message: string): void {
  tell('note', '', message);
}

/** A line of another program, as it is. */
export function passOn(line: string): void {
  if (isForProgram) note(line);
  else process.stderr.write(`${line}\n`);
}

function tell(kind: string, prefix: string, text: string, more: object = {}): void {
  const message = withoutPasswords(text);
  const line = isForProgram ? toJson({ [kind]: { ...more, message } }) : `crfs: ${prefix}${escapeLine(message)}`;
  process.stderr.write(`${line}\n`);
}
