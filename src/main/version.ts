// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync, readFileSync } from 'node:fs';
import { home } from '../native/home.js';

/** That of the package. */
export const { version } = JSON.parse(readFileSync(new URL('package.json', home), 'utf8')) as { version: string };

/** The commit of which it was built, as git names it, with `-dirty` where files had been changed since; undefined: not known. */
export function builtOf(): string | undefined {
  const path = new URL('dist/commit', home);
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
}
