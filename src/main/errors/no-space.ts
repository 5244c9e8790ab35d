// SPDX-License-Identifier: GPL-3.0-or-later

/** Whether an error says that a disk, a quota or the number of files has come to its end. */
export function isNoSpace(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 'CRFS_NO_SPACE' || code === 'ENOSPC' || code === 'EDQUOT';
}
