// SPDX-License-Identifier: GPL-3.0-or-later

import { readFileSync } from 'node:fs';

/** The type of the file system that is mounted at an absolute path, the last one there; undefined: nothing is. */
export function mountedAt(path: string): string | undefined {
  let type: string | undefined;
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    // proc(5): ID parent major:minor root mountpoint options [optional...] - type source options
    const fields = line.split(' ');
    const dash = fields.indexOf('-', 6);
    if (dash > 0 && unescape(fields[4] ?? '') === path) type = fields[dash + 1];
  }
  return type;
}

/** The kernel writes space, tab, newline and backslash as octal numbers. */
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
