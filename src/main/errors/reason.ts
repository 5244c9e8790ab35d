// SPDX-License-Identifier: GPL-3.0-or-later

import { getSystemErrorMap } from 'node:util';

/** What a system call said, in words alone: "no such file or directory". */
export function reasonOf(error: unknown): string {
  const { errno, code, path, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOTCONN' && path !== undefined) return 'what served the mount there has ended: run `crfs umount`';
  if (code === 'EISDIR') return 'is a directory';
  return getSystemErrorMap().get(errno ?? 0)?.[1] ?? message;
}
