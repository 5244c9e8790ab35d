// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { askDaemon } from '../daemon/ask.js';
import { linkOf } from '../daemon/processes.js';
import type { Status } from '../daemon/status.js';
import { escapeLine, escapeName } from '../output/terminal.js';
import { cutTo, formatBytes, formatTable } from '../output/text.js';
import { tellingIfSlow } from '../output/waiting.js';

const HELP = `
Layers are numbered as --layer counts those of an image: 1 is the base.

Examples:
  crfs status
  crfs status --json | jq '.mounts[].mountpoint'`;

const NAME_COLUMNS = 24;

/** `crfs status` */
export function addStatus(program: Command): void {
  program
    .command('status')
    .description('show the daemon, its mounts, their layers and what they opened')
    .option('--json', 'print JSON; null if no daemon runs')
    .addHelpText('after', HELP)
    .action(async ({ json }: { json?: boolean }) => {
      const answer = await tellingIfSlow('waiting for the daemon to answer', askDaemon('GET', '/status'));
      if (json) process.stdout.write(`${answer ?? 'null'}\n`);
      else if (answer === undefined) process.stdout.write('No daemon runs: a mount starts one when it needs it.\n');
      else process.stdout.write(render(JSON.parse(answer) as Status));
    });
}

function render(status: Status): string {
  const { workers, counters, opens, mounts } = status;
  const daemon = formatTable([
    ['daemon', `pid ${status.pid}, version ${status.version}, since ${timeOf(status.started)}`],
    ['memory', formatBytes(status.memory.rss)],
    ['workers', `${workers.count} with ${workers.engine}, ${workers.busy} busy, ${workers.restarts} started again`],
    ['opened', describeOpens(opens)],
    ['unpacked', `${files(counters.objects)}, ${formatBytes(counters.objectBytes)}`],
    ['failed', `${files(counters.errors + counters.digestErrors)}, ${counters.digestErrors} of them by a wrong digest`],
    ['cache', describeUsage(status.usage)],
    ['', escapeLine(status.cache)],
    ['log', escapeLine(status.log)],
  ]);
  return [daemon, ...mounts.map((mount) => renderMount(mount, status.layers))].join('\n');
}

function describeUsage({ bytes, pinned, limit }: Status['usage']): string {
  const beyond = bytes > limit ? `: mounts need ${formatBytes(pinned)} of it` : '';
  return `${formatBytes(bytes)} of ${formatBytes(limit)}${beyond}`;
}

function renderMount(mount: Status['mounts'][number], all: Status['layers']): string {
  const { mountpoint, pid, since, mountNamespace, configurations, layers, ring } = mount;
  const namespace = mountNamespace ?? linkOf(pid, 'ns/mnt'); // a daemon in a user namespace does not see all of them
  const elsewhere = namespace !== undefined && namespace !== linkOf('self', 'ns/mnt');
  const lines = [
    ...configurations.map(escapeLine),
    `pid ${pid}, since ${timeOf(since)}${elsewhere ? ', in another mount namespace' : ''}`,
    ...(ring === null ? [] : [`opened ${describeOpens(ring)}`]),
  ];
  const rows = layers.map((number, place) => [
    String(place + 1),
    ...layerRow(all.find((one) => one.number === number)),
  ]);
  const table = formatTable([['LAYER', 'NAME', 'FORMAT', 'DOWNLOADED', 'VERIFIED BY'], ...rows]);
  return `${escapeName(mountpoint)}\n${[...lines, ...table.trimEnd().split('\n')].map((line) => `  ${line}\n`).join('')}`;
}

function layerRow(layer: Status['layers'][number] | undefined): string[] {
  if (layer === undefined) return ['released'];
  const { name, kind, fetched, verified } = layer;
  const short = escapeLine(name).replace(/^layer sha256:([0-9a-f]{12}).*$/, '$1');
  return [cutTo(short, NAME_COLUMNS), kind, fetched === null ? '-' : describeDownload(fetched), verified];
}

function describeDownload({ present, size }: NonNullable<Status['layers'][number]['fetched']>): string {
  return `${Math.floor(present * 100)}% of ${formatBytes(size)}`;
}

function describeOpens({ hits, hitBytes, misses, errors, depth }: Status['opens']): string {
  const waiting = depth === 0 ? '' : `, ${depth} waiting`;
  return `${hits} from the cache (${formatBytes(hitBytes)}), ${misses} waited for, ${errors} failed${waiting}`;
}

function files(count: number): string {
  return count === 1 ? '1 file' : `${count} files`;
}

/** To the second, of UTC. */
function timeOf(iso: string): string {
  return `${iso.slice(0, 'yyyy-mm-ddThh:mm:ss'.length).replace('T', ' ')} UTC`;
}
