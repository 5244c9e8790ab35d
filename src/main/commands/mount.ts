// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { askDaemon } from '../daemon/ask.js';
import type { Status } from '../daemon/status.js';
import { Interruption } from '../errors/interrupted.js';
import { Workspace } from '../inspect/workspace.js';
import { mountLayers } from '../mount/mount.js';
import { escapeLine, escapeName, toJson } from '../output/terminal.js';
import { formatBytes } from '../output/text.js';
import { parsePlatform } from '../registry/platform.js';
import { canonicalConfiguration, shownConfiguration } from '../sources/configuration.js';
import { configurationHelp, platformOption } from './view-options.js';

interface Given {
  upper?: string;
  work?: string;
  lower?: string[];
  option?: string[];
  platform?: string;
  foreground?: boolean;
  json?: boolean;
}

/** What --json prints. */
interface Report {
  readonly configuration: string;
  readonly mountpoint: string;
  readonly readOnly: boolean;
  /** What the daemon serves there, the base first. */
  readonly layers: Status['layers'];
}

/** `crfs mount` */
export function addMount(program: Command): void {
  program
    .command('mount')
    .description('mount an image or a layer with fuse-overlayfs, without pulling it')
    .argument('<config>', configurationHelp)
    .argument('<merged>', 'the directory to mount at')
    .option('--upper <dir>', 'where changes are kept; without it, the mount is read-only')
    .option('--work <dir>', 'an empty directory of the file system of --upper, that fuse-overlayfs works in')
    .option('--lower <dir>', 'a directory below the layers; may be given again, for one below that', collect)
    .option('-o, --option <options>', 'further options of fuse-overlayfs (default: fast_ino=1)', collect)
    .option(...platformOption)
    .option('-f, --foreground', 'stay until it is unmounted')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  crfs mount fedora merged\n  crfs mount ./layer.esgz merged --upper upper --work work\n' +
        '  podman unshare crfs mount localhost:5000/img:tag merged',
    )
    .action(mount);
}

function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

async function mount(written: string, merged: string, given: Given): Promise<void> {
  const { upper, work, lower = [], option: options = [], foreground = false } = given;
  const configuration = await canonical(written, given.platform);
  const interruption = new Interruption();
  try {
    const { signal } = interruption;
    const mounted = await mountLayers({ configuration, merged, upper, work, lower, options, foreground, signal });
    const { mountpoint, ended } = mounted;
    const layers = await layersAt(mountpoint);
    const readOnly = upper === undefined;
    const report: Report = { configuration: shownConfiguration(configuration), mountpoint, readOnly, layers };
    process.stdout.write(given.json ? `${toJson(report)}\n` : render(report));
    if (ended === undefined) return;
    if (!(await ended)) process.exitCode = 1;
    signal.throwIfAborted();
  } finally {
    interruption.end();
  }
}

async function canonical(written: string, platform: string | undefined): Promise<string> {
  const workspace = new Workspace();
  try {
    return await canonicalConfiguration(
      written,
      () => workspace.client(),
      platform === undefined ? undefined : parsePlatform(platform),
    );
  } finally {
    await workspace.close();
  }
}

async function layersAt(mountpoint: string): Promise<Report['layers']> {
  const answer = await askDaemon('GET', '/status');
  if (answer === undefined) return [];
  const { mounts, layers } = JSON.parse(answer) as Status;
  const numbers = mounts.findLast((one) => one.mountpoint === mountpoint)?.layers ?? [];
  return layers.filter(({ number }) => numbers.includes(number));
}

function render({ configuration, mountpoint, readOnly, layers }: Report): string {
  const size = layers.reduce((sum, { contentSize }) => sum + contentSize, 0);
  const count = layers.length === 1 ? '1 layer' : `${layers.length} layers`;
  const access = readOnly ? 'read-only' : 'read-write';
  const first = `${escapeName(mountpoint)}: ${escapeLine(configuration)}, ${count}, ${formatBytes(size)}, ${access}\n`;
  const doubtful = layers.filter(({ verified }) => verified.startsWith('nothing'));
  return first + doubtful.map(({ name, verified }) => `  ${escapeLine(name)}: verified by ${verified}\n`).join('');
}
