// SPDX-License-Identifier: GPL-3.0-or-later

import { statSync } from 'node:fs';
import { Option } from 'commander';
import { CrfsError } from '../errors/error.js';

/** `--html <file>`: a page to write. What can be no file is refused before anything is done. */
export function htmlOption(description: string): Option {
  return new Option('--html <file>', description).argParser((file) => {
    const why = whyNoFile(file);
    if (why !== undefined) throw new CrfsError('CRFS_USAGE', `--html ${why}`);
    return file;
  });
}

function whyNoFile(file: string): string | undefined {
  if (file === '') return 'names no file';
  if (file === '-') return '-: it is not written to standard output; ./- is a file of that name';
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory()) return `${file}: is a directory: name a file`;
  return undefined;
}
