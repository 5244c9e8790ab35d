// SPDX-License-Identifier: GPL-3.0-or-later

import { statfsSync } from 'node:fs';

/** What the file system of a path that is there can take yet; Infinity files: as many as there are bytes for. */
export function freeSpace(path: string): { readonly bytes: number; readonly files: number } {
  const { bavail, bsize, files, ffree } = statfsSync(path);
  return { bytes: bavail * bsize, files: files > 0 ? ffree : Number.POSITIVE_INFINITY };
}
