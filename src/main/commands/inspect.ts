// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { shortKind } from '../formats/kinds.js';
import { findImageOrLast } from '../inspect/image.js';
import { type ImageSummary, summarise } from '../inspect/summary.js';
import { Workspace } from '../inspect/workspace.js';
import { note } from '../output/tell.js';
import { escapeLine, escapeName, toJson } from '../output/terminal.js';
import { formatBytes, formatTable } from '../output/text.js';
import { tellingIfSlow } from '../output/waiting.js';
import { formatPlatform } from '../registry/platform.js';
import { describePresence } from './cached-image.js';
import { refuseWithoutEffect } from './no-effect.js';
import { addRegistryOptions, environmentFor, type RegistryGiven } from './registry-options.js';
import { platformOption, viewedHelp } from './view-options.js';

interface Given extends RegistryGiven {
  platform?: string;
  json?: boolean;
}

type Config = NonNullable<ImageSummary['config']>;

/** `crfs inspect` */
export function addInspect(program: Command): void {
  const command = program
    .command('inspect')
    .description('show how an image wants to be run, of which layers it is, and which of these are lazy')
    .argument('<config>', viewedHelp)
    .option(...platformOption);
  addRegistryOptions(command)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nManifest, config and the last bytes of each layer are fetched, and no more.\n\n' +
        "Examples:\n  crfs inspect localhost:5000/img:tag\n  crfs inspect --json fedora | jq '.config.env'",
    )
    .action(async (written: string, given: Given, self: Command) => {
      refuseWithoutEffect(self, written);
      const workspace = new Workspace(environmentFor(given));
      try {
        const image = await tellingIfSlow(
          `looking for ${written}`,
          findImageOrLast(written, workspace, given.platform),
        );
        const summary = await tellingIfSlow(`looking at the layers of ${written}`, summarise(image));
        if (image.stale !== undefined) note(image.stale);
        process.stdout.write(given.json ? `${toJson(summary)}\n` : render(summary));
      } finally {
        await workspace.close();
      }
    });
}

function render({ name, archive, digest, config, layers }: ImageSummary): string {
  const facts = [
    ['name', escapeLine(name.replace(/@sha256:[0-9a-f]{64}$/, ''))],
    ...(digest === null ? [] : [['manifest', digest]]),
    ...(config === null ? [] : configRows(config)),
  ];
  const rows = layers.map((layer) => [
    String(layer.number),
    layer.digest === null ? escapeName(layer.name) : layer.digest.slice('sha256:'.length, 'sha256:'.length + 12),
    layer.format === null ? '-' : shortKind(layer.format),
    archive ? '-' : lazinessOf(layer),
    formatBytes(layer.size),
    describePresence(layer.cached, layer.size),
  ]);
  const table = formatTable([['LAYER', 'DIGEST', 'FORMAT', 'LAZY', 'SIZE', 'CACHED'], ...rows]);
  const found = new Set<string>(layers.map(lazinessOf));
  const advice = archive ? [] : Object.entries(ADVICE).filter(([laziness]) => found.has(laziness));
  const lines = archive ? [ARCHIVE] : advice.map(([, line]) => line);
  return `${formatTable(facts)}\n${table}${lines.join('')}`;
}

const ARCHIVE = 'What is in an archive is not mounted: `skopeo copy` unpacks it into oci:DIR.\n';

/** What becomes of layers, and what to do about it. */
const ADVICE = {
  'by index': 'What is lazy by index has no TOC: an index in its registry says where its files are.\n',
  'once read': 'What is lazy once read has no TOC: its first mount here reads all of it.\n',
  no: 'What is not lazy cannot be mounted: `crfs stargzify` converts the image.\n',
};

function lazinessOf({ lazy, byIndex, mountable }: ImageSummary['layers'][number]): keyof typeof ADVICE | 'yes' {
  if (lazy) return byIndex ? 'by index' : 'yes';
  return mountable ? 'once read' : 'no';
}

function configRows(config: Config): string[][] {
  const { os, architecture, variant, created, entrypoint, cmd, env, user, workingDirectory, stopSignal } = config;
  const platform = { os, architecture, ...(variant !== '' && { variant }) };
  const labels = Object.entries(config.labels).map(([name, value]) => `${name}=${value}`);
  return [
    ['config', config.digest],
    ...textRow('platform', os === '' && architecture === '' ? '' : formatPlatform(platform)),
    ...textRow('created', created),
    ...textRow('entrypoint', entrypoint.length === 0 ? '' : JSON.stringify(entrypoint)),
    ...textRow('cmd', cmd.length === 0 ? '' : JSON.stringify(cmd)),
    ...listRows('env', env),
    ...textRow('user', user),
    ...textRow('workdir', workingDirectory),
    ...listRows('volumes', config.volumes),
    ...listRows('ports', config.ports),
    ...textRow('stop signal', stopSignal),
    ...listRows('labels', labels),
  ];
}

function textRow(name: string, value: string): string[][] {
  return value === '' ? [] : [[name, escapeLine(value)]];
}

/** One value a line, and the name before the first. */
function listRows(name: string, values: readonly string[]): string[][] {
  return values.map((value, place) => [place === 0 ? name : '', escapeLine(value)]);
}
