// SPDX-License-Identifier: GPL-3.0-or-later

import { statSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { Command } from 'commander';
import { askStatus, followDaemon } from '../daemon/ask.js';
import type { Opening, Traced } from '../daemon/tracer.js';
import { CrfsError } from '../errors/error.js';
import { CACHE_REMOVED, mountsOfRemovedCache, mountsWithoutDaemon } from '../mount/hosts.js';
import { mountpointOf } from '../mount/mountpoint.js';
import { warn } from '../output/tell.js';
import { escapeLine, escapeName, toJson } from '../output/terminal.js';
import { tellingIfSlow } from '../output/waiting.js';
import { cacheDirectory } from '../settings/directories.js';
import { htmlOption } from './html-option.js';

const HELP = `
A line for each open of a regular file that has content: when it ended, how
long it waited, for what, the number of its layer (1 is the base), and its path
in the layer (the first, if it has several names). What it waited for:
  -        nothing: the content was in the cache
  inflate  a worker: its gzip members were read, inflated and checked
  fetch    the network, for as long as it says, and then a worker
By the kernel's overlay, the first read of a file is shown, and each that waits:
the kernel tells nobody of opens, nor of reads of what it has kept. On a later
mount of the same layers it opens what is in the cache itself: a line says so.
Nothing is noted while nobody traces, but by new mounts: see crfs profile. A
mount that opens faster than it can be followed goes on: how many opens were
missed is told.

With --html, all of that is written as a page at the end: one file that needs no
network, with what came over the network and was not opened.

It ends with 0 at ^C, or when the mount has gone.

Examples:
  crfs trace merged
  crfs trace merged --html start.html
  crfs trace merged --json | jq 'select(.waitedMs > 10) | .path'`;

const UNSEEN = `  The kernel opens here by itself what is in the cache, and asks for other content by its digest: of files
  with the same one, any is shown. To see all, mount with --driver fuse-overlayfs; or unmount, run
  \`crfs cache clear\`, and mount again.
`;

/** `crfs trace` */
export function addTrace(program: Command): void {
  program
    .command('trace')
    .description('show live what is opened through a mount, and what that waits for')
    .argument('<merged>', 'where it is mounted')
    .option('--json', 'print JSON, an object a line')
    .addOption(htmlOption('write a page that shows all of it, at the end'))
    .addHelpText('after', HELP)
    .action(async (merged: string, { json, html }: { json?: boolean; html?: string }) => {
      const interrupt = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupt.abort());
      let seen: Collected | undefined;
      let failure: unknown;
      try {
        const places = new Set([resolve(merged), mountpointOf(merged)]);
        const trace = await follow(merged, places, html !== undefined, interrupt.signal);
        if (html !== undefined) seen = await collect(merged, html);
        const more = (await isUnseen(places)) ? UNSEEN : '';
        if (isOfRemovedCache(places)) warn(`${merged}: ${CACHE_REMOVED}`);
        const begun = `tracing ${escapeLine(merged)}: ^C ends it\n${more}`;
        await print(trace, json ? toJson : render, begun, (traced) => seen?.add(traced));
      } catch (error) {
        if (!interrupt.signal.aborted) failure = cutOff(merged, error);
      }
      interrupt.abort(); // ends what is still followed
      seen?.write();
      if (failure !== undefined) throw failure;
    });
}

type Printed = Exclude<Traced, { readonly request: unknown }>;

interface Collected {
  readonly add: (traced: Traced) => void;
  readonly write: () => void;
}

/** Collects what is traced, to be written to a file at the end: whether that can be is tried at once. */
async function collect(merged: string, file: string): Promise<Collected> {
  writeFileSync(file, '');
  const { TracedStart } = await import('./traced-start.js');
  const start = new TracedStart(merged);
  const write = (): void => {
    writeFileSync(file, start.page());
    process.stderr.write(`wrote ${escapeName(file)}\n`);
  };
  return { add: (traced) => start.add(traced), write };
}

async function follow(
  merged: string,
  places: ReadonlySet<string>,
  withRequests: boolean,
  signal: AbortSignal,
): Promise<AsyncIterable<Buffer>> {
  for (const place of places) {
    const asking = followDaemon(`/trace?mount=${encodeURIComponent(place)}&requests=${withRequests}`, signal);
    const trace = await tellingIfSlow('waiting for the daemon to answer', asking);
    if (typeof trace === 'object') return trace;
  }
  statSync(merged); // throws if there is nothing, or if what served it has ended
  if (isOfRemovedCache(places)) throw new CrfsError('CRFS_NOT_FOUND', `${merged}: ${CACHE_REMOVED}`);
  if (mountsWithoutDaemon(cacheDirectory()).some(({ mountpoint }) => places.has(mountpoint))) {
    throw new CrfsError(
      'CRFS_NOT_FOUND',
      `${merged} is without a daemon since its own ended: read a file that is not in the cache, and trace it then`,
    );
  }
  throw new CrfsError('CRFS_NOT_FOUND', `${merged} is no mount of a layer: \`crfs status\` lists those that there are`);
}

/** Whether names are missing in it. */
function isOfRemovedCache(places: ReadonlySet<string>): boolean {
  return mountsOfRemovedCache(cacheDirectory()).some(({ mountpoint }) => places.has(mountpoint));
}

/** Whether the kernel opens by itself what is in the cache. */
async function isUnseen(places: ReadonlySet<string>): Promise<boolean> {
  const status = await askStatus(); // none: it has just ended, as the trace will tell
  return status?.mounts.findLast(({ mountpoint }) => places.has(mountpoint))?.ring?.unseen === 1;
}

function cutOff(merged: string, error: unknown): unknown {
  if (error instanceof CrfsError || (error as NodeJS.ErrnoException).syscall) return error;
  return new CrfsError('CRFS_UNREACHABLE', `the daemon of ${merged} ended: trace it again`, { cause: error });
}

/** The first line is empty, and stands for the beginning. */
async function print(
  trace: AsyncIterable<Buffer>,
  format: (traced: Printed) => string,
  begun: string,
  tell: (traced: Traced) => void,
): Promise<void> {
  for await (const line of createInterface({ input: Readable.from(trace) })) {
    if (line === '') process.stderr.write(begun);
    else {
      const traced = JSON.parse(line) as Traced;
      tell(traced);
      if (!('request' in traced)) process.stdout.write(`${format(traced)}\n`);
    }
  }
}

function render(traced: Printed): string {
  if ('missed' in traced) return `(${traced.missed} more were opened, faster than they could be followed)`;
  const { time, waitedMs, layer, path, error } = traced;
  const waited = waitedMs > 0 ? `${waitedMs.toFixed(1)} ms` : '-';
  const columns = [
    timeOfDay(new Date(time)),
    waited.padStart(11),
    reason(traced).padEnd(16),
    String(layer).padStart(3),
  ];
  return `${columns.join('  ')}  ${escapeName(path)}${error === null ? '' : `  ${error}`}`;
}

function reason(opening: Opening): string {
  if (opening.for === 'nothing') return '-';
  return opening.for === 'fetch' ? `fetch ${opening.fetchedMs.toFixed(1)} ms` : 'inflate';
}

function timeOfDay(time: Date): string {
  return `${time.toTimeString().slice(0, 8)}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}
