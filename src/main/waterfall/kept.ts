// SPDX-License-Identifier: GPL-3.0-or-later

/** How the last start of each image went, in the cache: a file for each image. */

import { rmSync } from 'node:fs';
import type { CacheLayout } from '../disk/cache-layout.js';
import { keepFile, readKept } from '../profile/kept-files.js';
import { formatStart, MOST_BYTES, parseStart, type StartRecord } from './record.js';

/** Of more images, those that were started last are kept. */
const MOST_KEPT = 128;

/** How the image with this manifest started last; undefined: nothing is kept of it that makes sense. Throws as the file system does. */
export function keptStart(layout: CacheLayout, image: string): StartRecord | undefined {
  const record = readKept(layout.start(image), MOST_BYTES, (bytes) => parseStart(bytes, 'a start in the cache'));
  return record?.image === image ? record : undefined;
}

/** Keeps how a start went, in place of the one before. Throws as the file system does. */
export function keepStart(layout: CacheLayout, record: StartRecord): void {
  keepFile(layout, layout.start(record.image), formatStart(record), MOST_KEPT);
}

/** Throws as the file system does. */
export function removeStart(layout: CacheLayout, image: string): void {
  rmSync(layout.start(image), { force: true });
}
