// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { askDaemon } from '../daemon/ask.js';
import type { Status } from '../daemon/status.js';
import { escapeName } from '../output/terminal.js';
import { formatBytes, formatTable } from '../output/text.js';

/** `crfs status` */
export function addStatus(program: Command): void {
  program
    .command('status')
    .description('show the daemon, its mounts, layers and counters')
    .option('--json', 'print JSON')
    .addHelpText('after', "\nExamples:\n  crfs status\n  crfs status --json | jq '.mounts[].mountpoint'")
    .action(async ({ json }: { json?: boolean }) => {
      const answer = await askDaemon('GET', '/status');
      if (json) process.stdout.write(`${answer ?? 'null'}\n`);
      else if (answer === undefined) process.stdout.write('No daemon runs: a mount starts one when it needs it.\n');
      else process.stdout.write(render(JSON.parse(answer) as Status));
    });
}

function describeUsage({ bytes, pinned, limit }: Status['usage']): string {
  const beyond = bytes > limit ? `: mounts need ${formatBytes(pinned)} of it` : '';
  return `${formatBytes(bytes)} of ${formatBytes(limit)}${beyond}`;
}

function render(status: Status): string {
  const { workers, counters, mounts, layers } = status;
  const sections = [
    formatTable([
      ['daemon', `pid ${status.pid}, version ${status.version}, since ${status.started}`],
      ['memory', formatBytes(status.memory.rss)],
      ['cache', status.cache],
      ['size', describeUsage(status.usage)],
      ['log', status.log],
      ['workers', `${workers.count} with ${workers.engine}, ${workers.busy} busy, ${workers.restarts} started again`],
      ['filled', `${counters.objects} objects, ${formatBytes(counters.objectBytes)}`],
      ['errors', `${counters.errors} errors, ${counters.digestErrors} wrong digests`],
    ]),
  ];
  if (mounts.length > 0) {
    const rows = mounts.map(({ mountpoint, pid, layers: used, ring }) => [
      escapeName(mountpoint),
      String(pid),
      used.join(' '),
      String(ring?.depth ?? 0),
      `${ring?.hits ?? 0} (${formatBytes(ring?.hitBytes ?? 0)})`,
      String(ring?.misses ?? 0),
      String(ring?.errors ?? 0),
    ]);
    sections.push(formatTable([['MOUNT', 'PID', 'LAYERS', 'RING', 'FROM CACHE', 'WAITED FOR', 'ERRORS'], ...rows]));
  }
  if (layers.length > 0) {
    const rows = layers.map(({ number, name, kind, verified, mounts: users }) => [
      String(number),
      escapeName(name),
      kind,
      verified,
      String(users),
    ]);
    sections.push(formatTable([['LAYER', 'NAME', 'KIND', 'VERIFIED BY', 'MOUNTS'], ...rows]));
  }
  return sections.join('\n');
}
