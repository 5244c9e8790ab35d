// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { Workspace } from '../inspect/workspace.js';
import { joinOptions, listedDirectory, lowerLayers } from '../mount/lowerdir.js';
import { toJson } from '../output/terminal.js';
import { tellingIfSlow } from '../output/waiting.js';
import { parsePlatform } from '../registry/platform.js';
import { canonicalConfiguration } from '../sources/configuration.js';
import { openFileSource } from '../sources/file.js';
import { placeOf } from '../sources/place.js';
import { refuseWithoutEffect } from './no-effect.js';
import { addRegistryOptions, environmentFor, type RegistryGiven } from './registry-options.js';
import { configurationHelp, platformOption } from './view-options.js';

interface Given extends RegistryGiven {
  platform?: string;
  json?: boolean;
}

/** `crfs lowerdir` */
export function addLowerdir(program: Command): void {
  const command = program
    .command('lowerdir')
    .description('print the option that makes fuse-overlayfs mount layers')
    .argument('<config>', configurationHelp)
    .argument('<dir>', 'any directory: fuse-overlayfs wants one behind the layers, and shows nothing of it')
    .option(...platformOption);
  addRegistryOptions(command)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nThe plugin is found by itself where both were installed with one prefix; else\n-o plugins= names it.\n\n' +
        'Example:\n  fuse-overlayfs -o fast_ino=1,"$(crfs lowerdir ./layer.esgz /)" merged',
    )
    .action(async (written: string, directory: string, given: Given, self: Command) => {
      refuseWithoutEffect(self, written);
      const lower = listedDirectory(directory, 'the directory');
      const workspace = new Workspace(environmentFor(given));
      try {
        const platform = given.platform === undefined ? undefined : parsePlatform(given.platform);
        const looking = canonicalConfiguration(written, () => workspace.client(), platform);
        const configuration = await tellingIfSlow(`looking for ${written}`, looking);
        const place = placeOf(configuration);
        if (place.kind === 'file') await openFileSource(place.path).close();
        const option = joinOptions([`lowerdir=${lowerLayers(configuration, lower)}`]);
        process.stdout.write(given.json ? `${toJson({ configuration, option })}\n` : `${option}\n`);
      } finally {
        await workspace.close();
      }
    });
}
