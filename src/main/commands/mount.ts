// SPDX-License-Identifier: GPL-3.0-or-later

import { statSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { askStatus } from '../daemon/ask.js';
import { mountedAt } from '../daemon/mountinfo.js';
import { look } from '../daemon/processes.js';
import { layersOf, type Status } from '../daemon/status.js';
import { processEnvironment } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { Interrupted, Interruption } from '../errors/interrupted.js';
import { DRIVERS, type Driver } from '../mount/driver.js';
import { freeMountpoint, mountLayers } from '../mount/mount.js';
import { unmountLayers } from '../mount/umount.js';
import { progressOn, silent } from '../output/progress.js';
import { note, passOn } from '../output/tell.js';
import { escapeLine, escapeName, toJson } from '../output/terminal.js';
import { counted, formatBytes } from '../output/text.js';
import { tellingIfSlow } from '../output/waiting.js';
import type { Lasting } from '../setup/lasting.js';
import { type Persisted, persist } from '../setup/persist.js';
import { shownConfiguration } from '../sources/configuration.js';
import { canonicalFor } from './canonical.js';
import { addLazyOption, mountingEnvironment } from './lazy-option.js';
import { refuseWithoutEffect } from './no-effect.js';
import { type LastingGiven, lastingOf, renderPersisted } from './persist.js';
import { tellingReads } from './reads.js';
import { addRegistryOptions } from './registry-options.js';
import { collect, configurationHelp, platformOption } from './view-options.js';

interface Given extends LastingGiven {
  driver: Driver | 'auto';
  persist?: boolean;
  foreground?: boolean;
  json?: boolean;
  verbose?: boolean;
}

/** What --json prints. */
interface Report {
  readonly configuration: string;
  readonly mountpoint: string;
  readonly readOnly: boolean;
  /** What mounts it: the kernel's overlay, or fuse-overlayfs. */
  readonly driver: Driver;
  /** Why it is not the other one. */
  readonly why: string;
  /** What the daemon serves there, the base first; null if it does not tell. */
  readonly layers: Status['layers'] | null;
  /** With --persist alone: by what it comes back. */
  readonly persisted?: Persisted | undefined;
}

interface Served {
  readonly layers: Status['layers'];
  readonly stale: readonly string[];
}

const HELP = `
Mounting takes root: an ordinary user puts \`podman unshare\` in front, which also
is where \`podman run\` sees the mount. Of a read-only mount, podman makes a
container with a layer of its own for changes: \`podman run --rootfs merged:O\`.
What has mounted is told, and why, where it is not the kernel's overlay. With
--persist the mount is made again at each start of the machine, or when a user
logs in, by a unit of systemd; \`crfs umount --forget\` takes it away.
A layer without a TOC, as most are built, is read as a whole before its first
mount; how far that has come is shown.

Examples:
  crfs mount fedora merged --upper upper --work work
  podman unshare crfs mount fedora merged --upper upper --work work
  crfs mount localhost:5000/img:tag merged
  crfs mount --persist localhost:5000/img:tag /srv/img
  crfs mount ./layer.esgz merged`;

/** `crfs mount` */
export function addMount(program: Command): void {
  const command = program
    .command('mount')
    .description('mount an image or a layer, without pulling it')
    .argument('<config>', configurationHelp)
    .argument('<merged>', 'the directory to mount at')
    .option('--upper <dir>', 'where changes are kept; without it, the mount is read-only')
    .option('--work <dir>', 'an empty directory on the file system of --upper, that changes are prepared in')
    .option('--lower <dir>', 'a directory below the layers; may be given again, for one below that', collect)
    .option(
      '-o, --option <options>',
      'further options, as what mounts takes them, such as nosuid,nodev; may be given again',
      collect,
    )
    .addOption(
      new Option('--driver <driver>', "what mounts; auto: the kernel's overlay where that can be, else fuse-overlayfs")
        .choices(['auto', ...DRIVERS])
        .default('auto'),
    )
    .option(...platformOption);
  addLazyOption(command);
  addRegistryOptions(command)
    .addOption(
      new Option('--persist', 'mount it at each start of the machine again, by a unit of systemd').conflicts(
        'foreground',
      ),
    )
    .option('-f, --foreground', 'stay until it is unmounted')
    .option('-v, --verbose', 'tell what is tried, and what comes of it')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(mount);
}

async function mount(written: string, merged: string, given: Given, command: Command): Promise<void> {
  const { driver: wanted, upper, work, lower = [], option: options = [], foreground = false } = given;
  checkOrder(written, merged);
  refuseWithoutEffect(command, written);
  const place = freeMountpoint(merged); // what is wrong with it is told before anybody is asked for the image
  const environment = mountingEnvironment(given);
  const configuration = await tellingIfSlow(
    `looking for ${written}`,
    canonicalFor(written, given.platform, environment),
  );
  const lasting = given.persist ? await lastingFor(configuration, written, place, given, environment) : undefined;
  const shown = shownConfiguration(configuration);
  const { signal } = new Interruption();
  const progress = given.json ? silent : progressOn(process.stderr);
  try {
    const directories = { merged, upper, work, lower };
    const tell = given.verbose ? note : () => undefined;
    const request = {
      configuration,
      driver: wanted,
      ...directories,
      options,
      environment,
      foreground,
      signal,
      tell,
      passOn,
    };
    const { ended, isInstead, ...mounted } = await tellingReads(shown, place, progress, mountLayers(request));
    const { mountpoint } = mounted;
    const served = await tellingIfSlow('asking the daemon what it serves', servedAt(mountpoint, signal));
    const layers = served?.layers ?? null;
    if (signal.aborted && !ended) await unmountLayers(mountpoint, true);
    if (!ended) signal.throwIfAborted();
    const readOnly = mountedAt(mountpoint)?.isReadOnly ?? false; // it may have been taken away by now
    const persisted = lasting && (await persistOrUnmount(lasting, mountpoint));
    const report: Report = { configuration: shown, ...mounted, readOnly, layers, persisted };
    process.stdout.write(given.json ? `${toJson(report)}\n` : render(report, isInstead));
    for (const line of served?.stale ?? []) note(line);
    if (ended && !(await ended)) process.exitCode = 1;
  } catch (error) {
    if (!foreground || !(error instanceof Interrupted)) throw error; // to end it is what signals are for there
  }
}

/** What comes back is what was named: of an image for several platforms, the name, and not the digest that it has now. */
async function lastingFor(
  canonical: string,
  written: string,
  mountpoint: string,
  given: Given,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Lasting> {
  const named = given.platform === undefined ? canonical : await canonicalFor(written, undefined, environment);
  return lastingOf(named, mountpoint, given);
}

/** Where it could not be seen to that a mount comes back, it does not stay either. */
async function persistOrUnmount(lasting: Lasting, mountpoint: string): Promise<Persisted> {
  try {
    return await persist(lasting, processEnvironment);
  } catch (error) {
    await unmountLayers(mountpoint, true);
    throw error;
  }
}

/** It is easily mistaken: `mount` and `ln` have what is there first, `cp` has what is to be last. */
function checkOrder(written: string, merged: string): void {
  if (!isDirectory(written) || isDirectory(merged)) return;
  throw new CrfsError(
    'CRFS_USAGE',
    `${JSON.stringify(written)} is a directory, and ${JSON.stringify(merged)} is none: the order is \`crfs mount CONFIG MERGED\``,
  );
}

function isDirectory(path: string): boolean {
  return look(() => statSync(path).isDirectory()) ?? false;
}

/** What the daemon serves at a mount; null if it does not tell, which is no reason to take the mount away. */
async function servedAt(mountpoint: string, signal: AbortSignal): Promise<Served | null> {
  const aborted = new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined)));
  const status = await Promise.race([askStatus().catch(() => undefined), aborted]);
  if (status === undefined) return null;
  const { layers: numbers = [], stale = [] } = status.mounts.findLast((one) => one.mountpoint === mountpoint) ?? {};
  return { layers: layersOf(status, numbers), stale };
}

function render(report: Report, isInstead: boolean): string {
  const { configuration, mountpoint, readOnly, driver, why, layers, persisted } = report;
  const access = `${readOnly ? 'read-only' : 'read-write'}, by ${driver}`;
  const what = `${escapeName(mountpoint)}: ${escapeLine(configuration)}`;
  if (layers === null) return `${what}, ${access}; the daemon does not tell more\n`;
  const size = layers.reduce((sum, { contentSize }) => sum + contentSize, 0);
  const first = `${what}, ${counted(layers.length, 'layer')}, ${formatBytes(size)}, ${access}\n`;
  const doubtful = layers.filter(({ verified }) => verified.startsWith('nothing'));
  const otherwise = isInstead ? `  ${escapeLine(why)}\n` : '';
  const back = persisted === undefined ? '' : renderPersisted(persisted);
  return (
    first +
    otherwise +
    doubtful.map(({ name, verified }) => `  ${escapeLine(name)}: verified by ${verified}\n`).join('') +
    back
  );
}
