// SPDX-License-Identifier: GPL-3.0-or-later

import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { askStatus } from '../daemon/ask.js';
import { linkOf } from '../daemon/processes.js';
import { type Status, serversOf } from '../daemon/status.js';
import { CrfsError } from '../errors/error.js';
import { shortKind } from '../formats/kinds.js';
import { type DeadMount, deadMounts } from '../mount/dead.js';
import {
  CACHE_REMOVED,
  type Host,
  isStore,
  mountsOfRemovedCache,
  mountsWithoutDaemon,
  storesWith,
} from '../mount/hosts.js';
import { escapeLine, escapeName, toJson } from '../output/terminal.js';
import { counted, cutTo, foldAt, formatBytes, formatTable, shortenDigests } from '../output/text.js';
import { tellingIfSlow } from '../output/waiting.js';
import { cacheDirectory } from '../settings/directories.js';

const HELP = `
Layers are numbered as --layer counts those of an image: 1 is the base.

Examples:
  crfs status
  crfs status --json | jq '.mounts[].mountpoint'
  crfs status --wait && echo 'the registry may go'`;

const NAME_COLUMNS = 24;
/** Of a terminal, behind an indentation. */
const LINE_COLUMNS = 78;
const ASK_EVERY_MS = 200;

/** `crfs status` */
export function addStatus(program: Command): void {
  program
    .command('status')
    .description('show the daemon, its mounts, their layers and what they opened')
    .option('--json', 'print JSON; null if there is neither a daemon nor a mount')
    .option('--wait', 'first wait until all layers of mounts have been downloaded')
    .addHelpText('after', HELP)
    .action(async ({ json, wait }: { json?: boolean; wait?: boolean }) => {
      const status = wait
        ? await tellingIfSlow('waiting until all layers have been downloaded', downloaded())
        : await tellingIfSlow('waiting for the daemon to answer', askStatus());
      const others = othersThan(status);
      const text = json ? `${toJson(reportOf(status, others))}\n` : `${render(status)}${renderOthers(others)}`;
      process.stdout.write(text);
    });
}

/** The daemon's answer once no layer is being downloaded. Throws CRFS_NOT_FOUND if one is not here as a whole then. */
async function downloaded(): Promise<Status | undefined> {
  for (;;) {
    const status = await askStatus();
    const { layers, mounts } = status ?? { layers: [], mounts: [] };
    if (!layers.some(({ fetched }) => fetched?.download === 'under way')) {
      const lacking = layers.find(({ fetched }) => fetched !== null && fetched.present < 1);
      const of = mounts.find((mount) => mount.layers.includes(lacking?.number ?? 0))?.configurations ?? [];
      if (lacking?.fetched) throw incomplete([...of, lacking.name].join(': '), lacking.fetched);
      return status;
    }
    await sleep(ASK_EVERY_MS);
  }
}

function incomplete(name: string, fetched: NonNullable<Status['layers'][number]['fetched']>): CrfsError {
  const why = {
    'no room': 'the cache has no room for more of it; see the setting max-size',
    failed: 'its download failed; the log says why',
    ended: 'no more of it is downloaded in the background; see the setting background',
    'under way': '',
  }[fetched.download];
  return new CrfsError('CRFS_NOT_FOUND', `${name}: ${describeDownload(fetched)} is here: ${why}`);
}

/** What the daemon does not know. */
interface Others {
  readonly withoutDaemon: readonly Host[];
  readonly dead: readonly DeadMount[];
  /** Stores of which podman uses nothing, as far as the daemon knows. */
  readonly unusedStores: readonly Host[];
  /** Mounts, also ones that it knows, that lack names since their cache was removed. */
  readonly cacheRemoved: readonly Host[];
}

function othersThan(status: Status | undefined): Others {
  const known = status === undefined ? [] : serversOf(status);
  const cache = cacheDirectory();
  const unknown = mountsWithoutDaemon(cache, known);
  const withoutDaemon = status === undefined ? unknown : unknown.filter(({ pid }) => !isStore(pid));
  const used = [...known, ...withoutDaemon.map(({ pid }) => pid)];
  const unusedStores = storesWith(cache).filter(({ pid }) => !used.includes(pid));
  return { withoutDaemon, dead: deadMounts(), unusedStores, cacheRemoved: mountsOfRemovedCache(cache) };
}

/** What --json prints: without a daemon, the little that is known. */
function reportOf(status: Status | undefined, others: Others): object | null {
  if (status !== undefined) return { ...status, ...others };
  if (Object.values(others).every(({ length }) => length === 0)) return null;
  return { pid: null, mounts: [], layers: [], ...others };
}

function renderOthers({ withoutDaemon, dead, unusedStores, cacheRemoved }: Others): string {
  const deadRows = dead.map(({ mountpoint, driver }) => [escapeLine(mountpoint), driver]);
  return (
    section('Dead, as what served them was killed: run `crfs umount`, and mount again:', ['DRIVER'], deadRows) +
    section('Mounted, and without a daemon since theirs ended:', ['PID'], rowsOf(withoutDaemon)) +
    section('Stores of which nothing is used:', ['PID'], rowsOf(unusedStores)) +
    section(`Names are missing: ${CACHE_REMOVED}:`, ['PID'], rowsOf(cacheRemoved))
  );
}

function rowsOf(hosts: readonly Host[]): string[][] {
  return hosts.map(({ pid, mountpoint }) => [escapeLine(mountpoint), String(pid)]);
}

function section(title: string, columns: readonly string[], rows: readonly string[][]): string {
  return rows.length === 0 ? '' : `\n${title}\n${formatTable([['MOUNTPOINT', ...columns], ...rows])}`;
}

function render(status: Status | undefined): string {
  if (status === undefined) return 'No daemon runs: a mount starts one when it needs it.\n';
  const { workers, counters, opens, mounts } = status;
  const daemon = formatTable([
    ['daemon', `pid ${status.pid}, version ${status.version}, since ${timeOf(status.started)}`],
    ['memory', formatBytes(status.memory.rss)],
    ['workers', `${workers.count} with ${workers.engine}, ${workers.busy} busy, ${workers.restarts} started again`],
    ['opened', describeOpens(opens)],
    ['unpacked', `${counted(counters.objects, 'file')}, ${formatBytes(counters.objectBytes)}`],
    [
      'failed',
      `${counted(counters.errors + counters.digestErrors, 'file')}, ${counters.digestErrors} of them by a wrong digest`,
    ],
    ['cache', describeUsage(status.usage)],
    ['', escapeLine(status.cache)],
    ['log', escapeLine(status.log)],
  ]);
  const known = mounts.map((mount) => renderMount(mount, status.layers));
  const stores = (status.stores ?? []).map(renderStore);
  return [daemon, ...known, ...stores].join('\n');
}

function describeUsage({ bytes, pinned, limit }: Status['usage']): string {
  const beyond = bytes > limit ? `: mounts need ${formatBytes(pinned)} of it` : '';
  return `${formatBytes(bytes)} of ${formatBytes(limit)}${beyond}`;
}

function renderMount(mount: Status['mounts'][number], all: Status['layers']): string {
  const { mountpoint, pid, since, driver, why, mountNamespace, configurations, layers, ring, wholeFiles } = mount;
  const namespace = mountNamespace ?? linkOf(pid, 'ns/mnt'); // a daemon in a user namespace does not see all of them
  const elsewhere = namespace !== undefined && namespace !== linkOf('self', 'ns/mnt');
  const lines = [
    ...configurations.map(escapeLine),
    `by ${driver}, pid ${pid}, since ${timeOf(since)}${elsewhere ? ', in another mount namespace' : ''}`,
    ...((why ?? null) === null ? [] : [escapeLine(why as string)]),
    ...(ring === null ? [] : [`opened ${describeOpens(ring)}`]),
    ...(ring?.unseen === 1 ? ['not counted: what is in the cache already, which the kernel opens by itself'] : []),
    ...((wholeFiles ?? null) === null
      ? []
      : [`reads wait for whole files: it cannot have a FUSE mount of its own (${wholeFiles})`]),
  ];
  lines.push(...(mount.reading ?? []).map(describeReading));
  lines.push(...(mount.starts ?? []).flatMap(describeStart));
  const rows = layers.map((number, place) => [
    String(place + 1),
    ...layerRow(all.find((one) => one.number === number)),
  ]);
  const table = formatTable([['LAYER', 'NAME', 'FORMAT', 'DOWNLOADED', 'VERIFIED BY'], ...rows]);
  const folded = lines.flatMap((line) => foldAt(line, LINE_COLUMNS));
  return `${escapeName(mountpoint)}\n${[...folded, ...table.trimEnd().split('\n')].map((line) => `  ${line}\n`).join('')}`;
}

function describeReading({
  name,
  size,
  fetched,
  read,
}: NonNullable<Status['mounts'][number]['reading']>[number]): string {
  const part = (bytes: number): string => `${Math.floor((bytes / Math.max(1, size)) * 100)}%`;
  const arrived = fetched === null ? '' : `${part(fetched)} fetched, `;
  return `reading all of ${shortenDigests(escapeLine(name))}, ${formatBytes(size)}: ${arrived}${part(read)} read`;
}

function describeStart({ recording, files, order }: NonNullable<Status['mounts'][number]['starts']>[number]): string[] {
  const recorded = recording === 'under way' ? [`its start is being recorded: ${counted(files, 'file')} so far`] : [];
  if (order === null) return recorded;
  const { bytes, fetching, foreseen, unforeseen } = order;
  const ahead = `${counted(order.files, 'file')}, ${formatBytes(bytes)}, ${fetching}`;
  return [...recorded, `fetching ahead of it: ${ahead}; ${foreseen} reads of these, ${unforeseen} of others`];
}

function renderStore({ directory, pid, mountNamespace, images }: NonNullable<Status['stores']>[number]): string {
  const elsewhere = mountNamespace !== null && mountNamespace !== linkOf('self', 'ns/mnt');
  const rows = images.map(({ name, layers }) => [
    escapeLine(name.replace('docker://', '')),
    String(layers.length),
    String(layers.filter(({ uses }) => uses > 0).length),
  ]);
  const table = formatTable([['IMAGE', 'LAYERS', 'OF THEM USED'], ...rows]);
  const lines = [
    `a store, pid ${pid}${elsewhere ? ', in another mount namespace' : ''}`,
    ...table.trimEnd().split('\n'),
  ];
  return `${escapeName(directory)}\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

function layerRow(layer: Status['layers'][number] | undefined): string[] {
  if (layer === undefined) return ['released'];
  const { name, kind, fetched, verified } = layer;
  const short = escapeLine(name).replace(/^layer sha256:([0-9a-f]{12}).*$/, '$1');
  return [
    cutTo(short, NAME_COLUMNS),
    shortKind(kind),
    fetched === null ? '-' : describeDownload(fetched),
    verified.replace(/^the digests of |: .*$/g, ''),
  ];
}

function describeDownload({ present, size }: NonNullable<Status['layers'][number]['fetched']>): string {
  return `${Math.floor(present * 100)}% of ${formatBytes(size)}`;
}

function describeOpens({ hits, hitBytes, misses, lazyOpens, errors, depth }: Status['opens']): string {
  const waiting = depth === 0 ? '' : `, ${depth} waiting`;
  return `${hits} from the cache (${formatBytes(hitBytes)}), ${misses + lazyOpens} waited for, ${errors} failed${waiting}`;
}

/** To the second, of UTC. */
function timeOf(iso: string): string {
  return `${iso.slice(0, 'yyyy-mm-ddThh:mm:ss'.length).replace('T', ' ')} UTC`;
}
