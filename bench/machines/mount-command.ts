// SPDX-License-Identifier: GPL-3.0-or-later

import type { Contender } from './contenders.js';

/** A lower directory in both of its forms. */
export interface Lower {
  /** A directory with the extracted tree. */
  readonly tree: string;
  /** The layer as plugins name it: `file:///path`, `http://…`, `docker://…`. */
  readonly layer: string;
}

export interface Directories {
  readonly merged: string;
  /** An empty directory, to name behind what is mounted, where that must not be alone. */
  readonly lower: string;
  /** Where changes are kept, and prepared; without them, the mount is read-only. */
  readonly changes?: { readonly upper: string; readonly work: string };
}

/**
 * The command by which a contender mounts, MERGED being its last word; `threaded`: by a fuse-overlayfs that answers
 * several requests at a time, as it does not by itself.
 */
export function mountCommand(
  { driver, frontEnd }: Contender,
  { tree, layer }: Lower,
  { merged, lower, changes }: Directories,
  threaded: boolean,
): string[] {
  const upper = changes === undefined ? [] : [`upperdir=${changes.upper}`, `workdir=${changes.work}`];
  if (driver === 'fuse-overlayfs') {
    const plugin = frontEnd === undefined ? [] : [`plugins=${frontEnd}`];
    const lowerdir = `lowerdir=${frontEnd === undefined ? tree : lowerdirOf(layer, lower)}`;
    const options = ['fast_ino=1', ...plugin, lowerdir, ...upper, ...(threaded ? ['threaded=1'] : [])];
    return [driver, '-o', options.join(','), merged];
  }
  if (frontEnd === undefined) {
    const lowerdir = changes === undefined ? `lowerdir=${tree}:${lower}` : `lowerdir=${tree}`; // it wants to have two
    return ['mount', '-t', driver, '-o', [lowerdir, ...upper].join(','), driver, merged];
  }
  const kept = changes === undefined ? [] : ['--upper', changes.upper, '--work', changes.work];
  return [frontEnd, ...kept, '--', layer.replace(/^file:\/\//, ''), merged];
}

/** A layer as a lower directory. Standard base64 is what all plugins read; where it has a `/`, only base64url can do. */
function lowerdirOf(layer: string, directory: string): string {
  const standard = Buffer.from(layer).toString('base64');
  return `//crfs/${standard.includes('/') ? Buffer.from(layer).toString('base64url') : standard}/${directory}`;
}
