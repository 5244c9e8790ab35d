// SPDX-License-Identifier: GPL-3.0-or-later

import { chmodSync, mkdirSync } from 'node:fs';

/** Makes a directory that every user in a container can enter, whatever the umask of this process. */
export function makeReadable(path: string): void {
  mkdirSync(path);
  chmodSync(path, 0o755);
}
