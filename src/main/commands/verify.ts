// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { findImage } from '../inspect/image.js';
import { type LayerReport, verifyImage } from '../inspect/verify.js';
import { Workspace } from '../inspect/workspace.js';
import { type Progress, progressOn, silent } from '../output/progress.js';
import { escapeLine, painterFor, toJson } from '../output/terminal.js';
import { counted, formatBytes, shortenDigests } from '../output/text.js';
import { tellingIfSlow } from '../output/waiting.js';
import { refuseWithoutEffect } from './no-effect.js';
import { addRegistryOptions, environmentFor, type RegistryGiven } from './registry-options.js';
import { platformOption, viewedHelp } from './view-options.js';

interface Given extends RegistryGiven {
  platform?: string;
  json?: boolean;
}

/** `crfs verify` */
export function addVerify(program: Command): void {
  const command = program
    .command('verify')
    .description('prove every byte of a layer, or of all layers of an image: digests of blobs, TOCs, files and chunks')
    .argument('<config>', viewedHelp)
    .option(...platformOption);
  addRegistryOptions(command)
    .option('--json', 'print the result as JSON, and no progress')
    .addHelpText(
      'after',
      '\nExits with 1 if anything is wrong.\n\nExamples:\n  crfs verify ./layer.esgz\n  crfs verify --json fedora',
    )
    .action(verify);
}

async function verify(config: string, given: Given, command: Command): Promise<void> {
  refuseWithoutEffect(command, config);
  const { platform, json } = given;
  const workspace = new Workspace(environmentFor(given));
  const progress = json ? silent : progressOn(process.stderr);
  try {
    const image = await tellingIfSlow(`looking for ${config}`, findImage(config, workspace, platform), progress.note);
    const reports: LayerReport[] = [];
    await verifyImage(image, workspace, progress, (layer) => {
      reports.push(layer);
      if (!json) print(layer, image.layers.length, progress);
    });
    if (!json && reports.length === 0) {
      process.stdout.write(`${escapeLine(image.resolved)}: ${painterFor(process.stdout)('green', 'ok')}, no layers\n`);
    }
    const sound = reports.every(({ problems }) => problems.length === 0);
    if (json) process.stdout.write(`${toJson({ resolved: image.resolved, sound, layers: reports })}\n`);
    if (!sound) process.exitCode = 1;
  } finally {
    progress.close();
    await workspace.close();
  }
}

function print(
  { name, number, problems, files, contentSize, verifiable, uncheckedIndex }: LayerReport,
  count: number,
  progress: Progress,
): void {
  const who = shortenDigests(escapeLine(count === 1 ? name : `${number}/${count} ${name}`));
  const [out, err] = [painterFor(process.stdout), painterFor(process.stderr)];
  for (const problem of problems) {
    progress.print(`${err('red', 'crfs:')} ${who}: ${escapeLine(problem)}`, process.stderr);
  }
  const what = `${counted(files, 'file')}, ${formatBytes(contentSize)}`;
  const doubt = verifiable ? '' : ', not all of them have digests';
  const by = uncheckedIndex
    ? '; until `crfs index` has made one here, mounts go by an index of SOCI, which nothing checks'
    : '';
  const summary = counted(problems.length, 'problem');
  const verdict = problems.length === 0 ? `${out('green', 'ok')}, ${what}${doubt}${by}` : out('red', summary);
  progress.print(`${who}: ${verdict}`, process.stdout);
}
