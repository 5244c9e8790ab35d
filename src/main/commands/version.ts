// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { type Available, availableDrivers, libfuseVersion } from '../mount/available.js';
import type { Driver } from '../mount/driver.js';
import { escapeLine, toJson } from '../output/terminal.js';
import { formatTable } from '../output/text.js';
import { builtOf, version } from '../version.js';

/** What --json prints. */
interface Report {
  readonly version: string;
  /** The commit of which it was built; null: not known. */
  readonly commit: string | null;
  readonly node: string;
  /** What crfs-lower runs with; null: it does not run. */
  readonly libfuse: string | null;
  readonly drivers: Readonly<Record<Driver, Available>>;
}

/** `crfs version` */
export function addVersion(program: Command): void {
  program
    .command('version')
    .description('tell the version, and by what this machine can mount')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  crfs --version\n  crfs version --json | jq .drivers')
    .action(async ({ json }: { json?: boolean }) => {
      const [drivers, libfuse] = await Promise.all([availableDrivers(), libfuseVersion()]);
      const node = process.versions.node;
      const report: Report = { version, commit: builtOf() ?? null, node, libfuse: libfuse ?? null, drivers };
      process.stdout.write(json ? `${toJson(report)}\n` : render(report));
    });
}

function render({ version: own, commit, node, libfuse, drivers }: Report): string {
  const rows = Object.entries(drivers).map(([name, { version: its, why }]) => [
    name,
    why === null ? its : `no: ${why}`,
  ]);
  return formatTable([
    ['crfs', commit === null ? own : `${own}, commit ${commit}`],
    ['Node.js', node],
    ['libfuse', libfuse ?? 'none'],
    ...rows.map(([name, said]) => [String(name), escapeLine(said ?? '')]),
  ]);
}
