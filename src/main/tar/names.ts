// SPDX-License-Identifier: GPL-3.0-or-later

import { LayerFault, quote } from '../formats/fault.js';

/** A path below the root, without `./`, `/` and the like; `.` is the root. Throws LayerFault for one that leaves it. */
export function cleanName(name: string): string {
  if (name.includes('\0')) throw new LayerFault(`${quote(name)} has a NUL byte in its name`);
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new LayerFault(`${quote(name)} has ".." in its name`);
  return parts.length === 0 ? '.' : parts.join('/');
}
