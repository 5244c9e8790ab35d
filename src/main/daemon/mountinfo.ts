// SPDX-License-Identifier: GPL-3.0-or-later

import { readFileSync } from 'node:fs';

/** What is mounted at a path. */
export interface MountPoint {
  readonly path: string;
  /** Of the file system, `major:minor`: the same wherever else that is mounted. */
  readonly device: string;
  /** Of the file system: `ext4`, `fuse.fuse-overlayfs`. */
  readonly type: string;
  /** What was mounted, as whoever did it calls it. */
  readonly source: string;
  /** Of the file system: of an overlay, its directories. */
  readonly options: readonly string[];
  /** Nothing can be written there: the mount is read-only, or its file system. */
  readonly isReadOnly: boolean;
}

/** All mounts that a process sees, later ones over earlier ones. Throws what the system says of a process that has ended. */
export function mountsOf(pid: number | 'self' = 'self'): MountPoint[] {
  const lines = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    // proc(5): ID parent major:minor root mountpoint options [optional...] - type source options
    const fields = line.split(' ');
    const [type = '', source = '', options = ''] = fields.slice(fields.indexOf('-', 6) + 1);
    return {
      path: unescape(fields[4] ?? ''),
      device: fields[2] ?? '',
      type,
      source: unescape(source),
      options: options.split(',').map(unescape),
      isReadOnly: [...(fields[5] ?? '').split(','), ...options.split(',')].includes('ro'),
    };
  });
}

/** What is mounted at an absolute path, the last one there; undefined: nothing is. */
export function mountedAt(path: string): MountPoint | undefined {
  return mountsOf().findLast((mount) => mount.path === path);
}

/** The kernel writes space, tab, newline and backslash as octal numbers. */
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
