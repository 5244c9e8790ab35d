// SPDX-License-Identifier: GPL-3.0-or-later

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { runDaemon, type Start } from '../daemon/run.js';
import { CrfsError } from '../errors/error.js';
import { tellingIfSlow } from '../output/waiting.js';
import { optionNames, options } from '../settings/options.js';
import type { Flags } from '../settings/settings.js';

const help = `
Takes over from an older daemon that runs: mounts go on with this one, and no
reader notices.

Examples:
  crfs daemon
  crfs daemon --foreground --log-level debug --workers 4`;

/** `crfs daemon`: mounts start it by themselves. */
export function addDaemon(program: Command): void {
  const command = program
    .command('daemon')
    .description('serve the mounts of this user (a mount starts the daemon by itself)')
    .option('-f, --foreground', 'stay in the foreground, and log to stderr')
    .addOption(new Option('--ready-fd <fd>').argParser(descriptor).hideHelp())
    .addOption(new Option('--take-over').hideHelp());
  for (const name of optionNames) {
    const { description, value, fallback, fallbackText } = { fallbackText: undefined, ...options[name] };
    command.option(`--${name} <${value}>`, `${description} (default: ${fallbackText ?? fallback})`);
  }
  command.addHelpText('after', help);
  command.action(async (given: Start) => {
    const flags = Object.fromEntries(optionNames.map((name) => [name, command.getOptionValue(camel(name))])) as Flags;
    if (given.foreground || given.readyFd !== undefined) await runDaemon(flags, given);
    else await startDaemon(process.argv.slice(3));
  });
}

/** Starts the daemon in a session of its own, and waits until it is ready. */
export async function startDaemon(args: readonly string[]): Promise<void> {
  const cli = fileURLToPath(new URL('../cli.js', import.meta.url));
  const child = spawn(
    process.execPath,
    [...process.execArgv, cli, 'daemon', ...args, '--ready-fd', '3', '--take-over'],
    {
      detached: true,
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    },
  );
  const [, , stderr, ready] = child.stdio as unknown as [null, null, Socket, Socket];
  let said = '';
  stderr.on('data', (bytes) => {
    said += String(bytes);
  });
  if (
    (await tellingIfSlow('waiting for the daemon to be ready; one that is older ends first', text(ready))) === 'ready\n'
  ) {
    child.unref();
    stderr.destroy();
    return;
  }
  if (child.exitCode === null) await once(child, 'close');
  const code = child.exitCode === 2 ? 'CRFS_USAGE' : 'CRFS_INTERNAL'; // as our own exit code will tell
  throw new CrfsError(code, said.trim().replace(/^crfs: /, ''));
}

function descriptor(given: string): number {
  if (!/^\d{1,4}$/.test(given)) throw new InvalidArgumentError('It must be the number of an open descriptor.');
  return Number(given);
}

function camel(name: string): string {
  return name.replaceAll(/-./g, (dash) => dash.slice(1).toUpperCase());
}
