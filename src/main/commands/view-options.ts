// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import type { ViewOptions } from '../inspect/with-view.js';
import { addRegistryOptions, type RegistryGiven } from './registry-options.js';

export const configurationHelp =
  'an image (docker://fedora, localhost:5000/img:tag), a URL or a path of a layer (./layer.esgz), oci:DIR[:TAG] or dir:DIR';
export const viewedHelp = `${configurationHelp}, oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME]`;

export const platformOption = [
  '--platform <platform>',
  'of an image for several: linux/arm64 (default: of this machine)',
] as const;

/** For an option that may be given again. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** Options of all commands that look into layers. */
export function addViewOptions(command: Command): Command {
  command
    .option(...platformOption)
    .option('--layer <layer>', 'look at one layer alone, with its whiteouts: its number, 1 is the base, or its digest');
  return addRegistryOptions(command);
}

/** What addViewOptions gives. */
export interface ViewGiven extends ViewOptions, RegistryGiven {}
