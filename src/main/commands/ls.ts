// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { CrfsError } from '../errors/error.js';
import { bytesOfName } from '../formats/name-bytes.js';
import { type FileType, factsOf, modeText } from '../inspect/facts.js';
import { isDirectory, type Node, nameOf, type View } from '../inspect/view.js';
import { withView } from '../inspect/with-view.js';
import { escapeName, type Painter, painterFor, type Style, toJson } from '../output/terminal.js';
import { Lines } from '../output/write.js';
import { refuseWithoutEffect } from './no-effect.js';
import { pathArgument } from './path-argument.js';
import { environmentFor } from './registry-options.js';
import { addViewOptions, type ViewGiven, viewedHelp } from './view-options.js';

interface Given extends ViewGiven {
  l?: boolean;
  R?: boolean;
  0?: boolean;
  json?: boolean;
}

const NUL = Buffer.of(0);

/** `crfs ls` */
export function addLs(program: Command): void {
  const command = program
    .command('ls')
    .description('list files of an image or a layer, without mounting it')
    .argument('<config>', viewedHelp)
    .argument('[path]', 'what to list', pathArgument, '/')
    .option('-l', 'a long line for each: mode, links, owner, size, time (UTC), name')
    .option('-R', 'everything below, by its path')
    .option('-0', 'names as they are, each ended by NUL, for xargs -0');
  addViewOptions(command)
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  crfs ls -l ./layer.esgz /etc\n  crfs ls -R --layer 2 localhost:5000/img')
    .action(async (config: string, path: string, given: Given, self: Command) => {
      refuseWithoutEffect(self, config);
      if (given[0] && (given.l || given.json)) {
        throw new CrfsError('CRFS_USAGE', '-0 prints names alone: it goes with neither -l nor --json');
      }
      if (given.l && given.json) throw new CrfsError('CRFS_USAGE', '--json prints all that -l does: give one of them');
      await withView(config, given, environmentFor(given), async (view) => await list(view, path, given));
    });
}

async function list(view: View, path: string, given: Given): Promise<void> {
  const lines = new Lines();
  const start = view.find(path, !given.l);
  const paint = painterFor(process.stdout);
  let separator = '';
  if (given.json) await lines.write('[');
  for (const node of listed(view, start, given.R)) {
    if (given.json) {
      await lines.write(`${separator}\n${toJson(factsOf(node))}`);
      separator = ',';
      continue;
    }
    const name = shownName(start, node, given.R);
    if (given[0]) await lines.write(Buffer.concat([bytesOfName(name), NUL]));
    else await lines.write(`${given.l ? longLine(node, name, paint) : painted(node, name, paint)}\n`);
  }
  if (given.json) await lines.write('\n]\n');
  await lines.flush();
}

function listed(view: View, start: Node, recursive = false): Iterable<Node> {
  if (!isDirectory(start)) return [start];
  return recursive ? view.descendants(start) : view.children(start);
}

/** Names of what a directory holds; paths from there with -R. */
function shownName(start: Node, node: Node, recursive = false): string {
  if (node.path === start.path || !recursive) return nameOf(node.path);
  return start.path === '' ? node.path : node.path.slice(start.path.length + 1);
}

function longLine(node: Node, name: string, paint: Painter): string {
  const { nlink, uid, gid, size, mtime, target, device } = factsOf(node);
  const mode = modeText(node.layer.index.mode(node.inode));
  const amount = device ? `${device.major}, ${device.minor}` : String(size);
  const columns = [
    mode,
    String(nlink).padStart(3),
    String(uid).padStart(5),
    String(gid).padStart(5),
    amount.padStart(10),
    mtime.slice(0, 'yyyy-mm-ddThh:mm'.length).replace('T', ' '),
  ];
  const arrow = target === undefined ? '' : ` -> ${escapeName(target)}`;
  return `${columns.join(' ')} ${painted(node, name, paint)}${arrow}`;
}

const EXECUTABLE: Style = ['bold', 'green'];
const STYLES: Readonly<Partial<Record<FileType, Style>>> = {
  directory: ['bold', 'blue'],
  symlink: ['bold', 'cyan'],
  char: ['bold', 'yellow'],
  block: ['bold', 'yellow'],
  fifo: 'yellow',
};

function painted(node: Node, name: string, paint: Painter): string {
  const { type, mode } = factsOf(node);
  const executable = type === 'file' && /[1357]/.test(mode.slice(1));
  const style = executable ? EXECUTABLE : STYLES[type];
  const text = escapeName(name);
  return style === undefined ? text : paint(style, text);
}
