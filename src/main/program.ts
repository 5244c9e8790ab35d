// SPDX-License-Identifier: GPL-3.0-or-later

import { Command } from 'commander';
import { addCat } from './commands/cat.js';
import { addDaemon } from './commands/daemon.js';
import { addLowerdir } from './commands/lowerdir.js';
import { addLs } from './commands/ls.js';
import { addMount } from './commands/mount.js';
import { addStargzify } from './commands/stargzify.js';
import { addStat } from './commands/stat.js';
import { addStatus } from './commands/status.js';
import { addStop } from './commands/stop.js';
import { addUmount } from './commands/umount.js';
import { addVerify } from './commands/verify.js';
import { version } from './version.js';

const COMMANDS = [
  addMount,
  addUmount,
  addLowerdir,
  addLs,
  addStat,
  addCat,
  addVerify,
  addStargzify,
  addDaemon,
  addStatus,
  addStop,
];

/** The command line. What it throws when it is parsed: CommanderError, and what the commands throw. */
export function createProgram(): Command {
  const program = new Command('crfs')
    .description('Start containers without pulling them: stargz and eStargz layers as lower directories.')
    .version(version)
    .showHelpAfterError('(run with --help for usage)')
    .exitOverride()
    .addHelpText(
      'after',
      '\nExits with 0 if all went well, 1 if it failed, 2 if it was asked for what makes no sense.',
    );
  for (const add of COMMANDS) add(program);
  return program;
}
