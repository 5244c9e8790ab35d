// SPDX-License-Identifier: GPL-3.0-or-later

/** Files that eStargz adds to a tar: eStargz specification, "Prioritized Files and Landmark Files" and "TOC". */

import { NO_PREFETCH_LANDMARK, PREFETCH_LANDMARK, TOC_NAME } from '../formats/estargz/names.js';
import { nameOfBytes } from '../formats/name-bytes.js';
import type { TarEntry } from '../tar/entry.js';
import { plainHeader } from '../tar/header.js';
import { memberPath } from '../tar/names.js';

export type Landmark = typeof PREFETCH_LANDMARK | typeof NO_PREFETCH_LANDMARK;
export const landmarkContent = Buffer.of(0x0f);

/** An entry for a landmark: what stands before `.prefetch.landmark` is wanted at start. */
export function landmarkEntry(name: Landmark): TarEntry {
  return {
    start: 0,
    headers: [plainHeader(name, landmarkContent.length)],
    type: 'file',
    name: Buffer.from(name),
    linkName: Buffer.alloc(0),
    mode: 0,
    uid: 0,
    gid: 0,
    userName: '',
    groupName: '',
    size: landmarkContent.length,
    mtime: { seconds: 0, nanoseconds: 0 },
    devMajor: 0,
    devMinor: 0,
    xattrs: new Map(),
    records: new Map(),
  };
}

/** Whether an entry comes from a conversion: those of an earlier one go before a new one adds its own. */
export function isAdded(entry: TarEntry): boolean {
  if (entry.type !== 'file') return false;
  const name = memberPath(nameOfBytes(entry.name));
  return name === TOC_NAME || name === PREFETCH_LANDMARK || name === NO_PREFETCH_LANDMARK;
}
