// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { type AllFacts, allFactsOf, modeText } from '../inspect/facts.js';
import { withView } from '../inspect/with-view.js';
import { escapeLine, escapeName, toJson } from '../output/terminal.js';
import { counted, formatTable } from '../output/text.js';
import { writeOut } from '../output/write.js';
import { refuseWithoutEffect } from './no-effect.js';
import { pathArgument } from './path-argument.js';
import { environmentFor } from './registry-options.js';
import { addViewOptions, type ViewGiven, viewedHelp } from './view-options.js';

/** `crfs stat` */
export function addStat(program: Command): void {
  const command = program
    .command('stat')
    .description('show all that is known of a file in an image or a layer')
    .argument('<config>', viewedHelp)
    .argument('<path>', 'the file; a symlink is shown itself', pathArgument);
  addViewOptions(command)
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  crfs stat ./layer.esgz /etc/passwd\n  crfs stat --json fedora /usr/bin/bash')
    .action(async (config: string, path: string, given: ViewGiven & { json?: boolean }, self: Command) => {
      refuseWithoutEffect(self, config);
      await withView(config, given, environmentFor(given), async (view) => {
        const node = view.find(path, false);
        const facts = allFactsOf(node);
        await writeOut(given.json ? `${toJson(facts)}\n` : render(facts, node.layer.index.mode(node.inode)));
      });
    });
}

function render(facts: AllFacts, mode: number): string {
  const { path, type, nlink, uid, gid, size, mtime, target, device, layer, inode, digest } = facts;
  const rows = [
    ['path', escapeName(path)],
    ['type', type],
    ...(target === undefined ? [] : [['target', escapeName(target)]]),
    ...(device ? [['device', `${device.major}, ${device.minor}`]] : []),
    ['mode', `${facts.mode} (${modeText(mode)})`],
    ['owner', `uid ${uid}, gid ${gid}`],
    ...(type === 'file' ? [['size', `${size} bytes`]] : []),
    ['modified', mtime],
    ['inode', `${inode}, ${counted(nlink, 'link')}`],
    ...(type === 'file' ? [['digest', digest ?? 'none in the TOC']] : []),
    ['layer', `${layer}, ${facts.layerDigest ?? escapeLine(facts.layerName)} (${facts.layerKind})`],
    ...Object.entries(facts.xattrs).map(([name, value]) => ['xattr', `${escapeName(name)} = ${shownValue(value)}`]),
  ];
  if (facts.chunks.length === 0) return formatTable(rows);
  const chunks = facts.chunks.map((chunk) => [
    String(chunk.fileOffset),
    String(chunk.size),
    `${chunk.offset}..${chunk.end}`,
    String(chunk.innerOffset),
    chunk.digest ?? 'none',
  ]);
  return `${formatTable(rows)}\n${formatTable([['CHUNK AT', 'BYTES', 'MEMBER', 'INNER', 'DIGEST'], ...chunks])}`;
}

/** As getfattr does: text in quotes, all else in hex. */
function shownValue(base64: string): string {
  const bytes = Buffer.from(base64, 'base64');
  return /^[\x20-\x7e]*$/.test(bytes.toString('latin1'))
    ? JSON.stringify(bytes.toString())
    : `0x${bytes.toString('hex')}`;
}
