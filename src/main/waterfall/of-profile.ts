// SPDX-License-Identifier: GPL-3.0-or-later

import type { Profile } from '../profile/profile.js';
import type { StartRecord } from './record.js';

/** What a profile alone says of a start: what was read, and when; not what that waited for. */
export function startOf({ image, recorded, layers, order }: Profile): StartRecord {
  const places = new Map<string, number>();
  const files: StartRecord['files'][number][] = [];
  const reads = order
    .filter(({ layer }) => layer < layers.length)
    .map(({ layer, path, bytes, at }) => {
      const key = `${layer} ${path}`;
      const file = places.get(key) ?? files.push({ layer, path }) - 1;
      places.set(key, file);
      return { file, bytes, at, request: null };
    });
  const nothing = { waits: [], requests: [], unread: [], unreadFiles: 0, unreadBytes: 0, missed: 0 };
  return { image, began: recorded, layers, resolved: 0, ready: 0, files, reads, ...nothing };
}
