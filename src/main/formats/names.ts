// SPDX-License-Identifier: GPL-3.0-or-later

/** Names of entries as layers write them, made into paths: relative, no empty, `.` or `..` parts. */

import { addon } from '../../native/addon.js';
import { LayerFault } from './fault.js';
import { nameLength } from './name-bytes.js';

const { nameLimit, pathLimit } = addon.layout.constants;

/** Whether a name is a path already. May say no to odd ones that are: short, no part that starts with a dot. */
function isPlain(name: string): boolean {
  return (
    Buffer.byteLength(name) <= nameLimit &&
    !name.startsWith('/') &&
    !name.startsWith('.') &&
    !name.endsWith('/') &&
    !name.includes('//') &&
    !name.includes('/.') &&
    !name.includes('\0')
  );
}

/** What a name is made of, without empty and `.` parts. Throws LayerFault for a `..` part, and NUL; `what` says of what. */
export function partsOf(name: string, what: string): string[] {
  if (name.includes('\0')) {
    throw new LayerFault(`${what} holds a NUL`);
  }
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) {
    throw new LayerFault(`${what} holds a '..' part`);
  }
  return parts;
}

/**
 * The path that an entry's name, or a hardlink's target, stands for: `./x`, `/x`, `x/` and `a//b` are cleaned, the root
 * is ''. Throws LayerFault for a `..` part, NUL, a part above 255 bytes, a path above 4095 bytes; `what` says of what.
 */
export function cleanPath(name: string, what = 'name'): string {
  if (isPlain(name)) {
    return name;
  }
  const parts = partsOf(name, what);
  if (parts.some((part) => nameLength(part) > nameLimit)) {
    throw new LayerFault(`${what} has a part longer than ${nameLimit} bytes`);
  }
  const path = parts.join('/');
  if (nameLength(path) > pathLimit) {
    throw new LayerFault(`${what} is longer than ${pathLimit} bytes`);
  }
  return path;
}
