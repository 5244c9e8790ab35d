// SPDX-License-Identifier: GPL-3.0-or-later

/** The files that a conversion adds to a tar: eStargz specification, "Prioritized Files and Landmark Files" and "TOC". */

import { NO_PREFETCH_LANDMARK, PREFETCH_LANDMARK, TOC_NAME } from '../formats/estargz/names.js';
import { nameOfBytes } from '../formats/name-bytes.js';
import type { TarEntry } from '../tar/entry.js';
import { plainHeader } from '../tar/header.js';
import { memberPath } from '../tar/names.js';

export type Landmark = typeof PREFETCH_LANDMARK | typeof NO_PREFETCH_LANDMARK;
/** What the specification has a landmark hold. */
export const LANDMARK_CONTENT = Buffer.of(0x0f);

/** The entry of a landmark. */
export function landmarkEntry(name: Landmark): TarEntry {
  return {
    start: 0,
    headers: [plainHeader(name, LANDMARK_CONTENT.length)],
    type: 'file',
    name: Buffer.from(name),
    linkName: Buffer.alloc(0),
    mode: 0,
    uid: 0,
    gid: 0,
    userName: '',
    groupName: '',
    size: LANDMARK_CONTENT.length,
    mtime: { seconds: 0, nanoseconds: 0 },
    devMajor: 0,
    devMinor: 0,
    xattrs: new Map(),
    records: new Map(),
  };
}

/** Whether an earlier conversion has added an entry: it is left out, and the new conversion adds its own. */
export function isAdded(entry: TarEntry): boolean {
  if (entry.type !== 'file') return false;
  const name = memberPath(nameOfBytes(entry.name));
  return name === TOC_NAME || name === PREFETCH_LANDMARK || name === NO_PREFETCH_LANDMARK;
}
