// SPDX-License-Identifier: GPL-3.0-or-later

import { getSystemErrorName } from 'node:util';

const ERRNO_LIMIT = 4096;

/** The name of an errno that a mount told, such as `EPERM`; of what can be none, the number. */
export function errorName(errno: number): string {
  return errno > 0 && errno < ERRNO_LIMIT ? getSystemErrorName(-errno) : String(errno);
}
