// SPDX-License-Identifier: GPL-3.0-or-later

import { readFileSync } from 'node:fs';
import { nameOfBytes } from '../formats/name-bytes.js';

/** What Node.js has in the place of bytes of an argument that are not UTF-8. */
const REPLACED = '\ufffd';

/** A path in an image, as text that stands for all of its bytes: the kernel still has the argument as it was given. */
export function pathArgument(text: string): string {
  if (!text.includes(REPLACED)) return text;
  const given = readFileSync('/proc/self/cmdline', 'latin1').split('\0');
  const bytes = given.map((argument) => Buffer.from(argument, 'latin1')).findLast((one) => one.toString() === text);
  return bytes ? nameOfBytes(bytes) : text;
}
