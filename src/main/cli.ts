// SPDX-License-Identifier: GPL-3.0-or-later

import { Command } from 'commander';
import { addDaemon } from './commands/daemon.js';
import { addStatus } from './commands/status.js';
import { addStop } from './commands/stop.js';
import { CrfsError } from './errors/error.js';
import { version } from './version.js';

const program = new Command('crfs')
  .description('Start containers without pulling them: stargz and eStargz layers as lower directories.')
  .version(version)
  .showHelpAfterError('(run with --help for usage)');

for (const add of [addDaemon, addStatus, addStop]) add(program);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CrfsError)) throw error;
  process.stderr.write(`crfs: ${error.message}\n`);
  process.exitCode = error.code === 'CRFS_USAGE' ? 2 : 1;
}
