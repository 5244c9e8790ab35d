// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { CrfsError } from '../errors/error.js';
import { contentOf, isVerifiable } from '../inspect/content.js';
import { withView } from '../inspect/with-view.js';
import { progressOn, silent } from '../output/progress.js';
import { note } from '../output/tell.js';
import { tellingIfSlow } from '../output/waiting.js';
import { writeOut } from '../output/write.js';
import { refuseWithoutEffect } from './no-effect.js';
import { pathArgument } from './path-argument.js';
import { environmentFor } from './registry-options.js';
import { addViewOptions, type ViewGiven, viewedHelp } from './view-options.js';

/** Smaller files are there before a bar could be read. */
const PROGRESS_FROM = 4 << 20;

/** `crfs cat` */
export function addCat(program: Command): void {
  const command = program
    .command('cat')
    .description('print the content of a file in an image or a layer, checked before it is printed')
    .argument('<config>', viewedHelp)
    .argument('<path>', 'the file; symlinks are followed within the image', pathArgument);
  addViewOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  crfs cat ./layer.esgz /etc/os-release\n  crfs cat fedora /usr/bin/bash | file -',
    )
    .action(async (config: string, path: string, given: ViewGiven, self: Command) => {
      refuseWithoutEffect(self, config);
      await withView(config, given, environmentFor(given), async (view, workspace) => {
        const node = view.find(path, true);
        const { index } = node.layer;
        if (!index.isFile(node.inode))
          throw new CrfsError('CRFS_NOT_FOUND', `${JSON.stringify(path)} is no regular file`);
        if (!isVerifiable(node)) {
          note(`${path}: the TOC holds no digest of it: the content is not checked`);
        }
        const size = index.size(node.inode);
        const content = orNotHere(path, contentOf(node, workspace));
        let piece = await tellingIfSlow(`fetching ${path}`, content.next());
        const progress =
          process.stdout.isTTY || !process.stderr.isTTY || size < PROGRESS_FROM ? silent : progressOn(process.stderr);
        const step = progress.start(path, size);
        try {
          for (; !piece.done; piece = await content.next()) {
            await writeOut(piece.value);
            step.advance(piece.value.length);
          }
        } finally {
          progress.close();
        }
      });
    });
}

/** Says of what cannot be fetched that it is not in the cache either. */
async function* orNotHere(path: string, content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* content;
  } catch (error) {
    if (!(error instanceof CrfsError) || error.code !== 'CRFS_UNREACHABLE') throw error;
    throw new CrfsError(error.code, `${path} is not in the cache: ${error.message}`, { cause: error });
  }
}
