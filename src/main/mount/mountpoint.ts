// SPDX-License-Identifier: GPL-3.0-or-later

import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { mountedAt } from '../daemon/mountinfo.js';
import { look } from '../daemon/processes.js';

/** The absolute path that a mount has in the system's list; it is not touched, as what serves it may be dead, or held up. */
export function mountpointOf(path: string): string {
  const absolute = resolve(path);
  const parent = look(() => realpathSync(dirname(absolute)));
  const real = parent === undefined ? absolute : join(parent, basename(absolute));
  if (mountedAt(real) !== undefined) return real;
  return look(() => realpathSync(real)) ?? real;
}
