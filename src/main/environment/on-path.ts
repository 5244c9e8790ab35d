// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Where a program is, in the first directory of `path` that has it, as PATH lists them; undefined: in none. */
export function onPath(program: string, path = process.env['PATH'] ?? ''): string | undefined {
  return path
    .split(':')
    .map((directory) => join(directory, program))
    .find((place) => existsSync(place));
}
