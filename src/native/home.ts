// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync } from 'node:fs';

/** The directory of the package, in a checkout or where it is installed: above this file, wherever that is compiled to. */
export const home = directoryWith('package.json');

function directoryWith(name: string): URL {
  let directory = new URL('.', import.meta.url);
  while (!existsSync(new URL(name, directory)) && directory.pathname !== '/') directory = new URL('..', directory);
  return directory;
}
