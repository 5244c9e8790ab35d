// SPDX-License-Identifier: GPL-3.0-or-later

import type { CriticalPath } from './critical.js';
import type { StartRead, StartRecord, StartRequest, StartWait } from './record.js';

/** What is to be shown of a file that was read. */
export interface Row {
  /** Place of its layer. */
  readonly layer: number;
  readonly path: string;
  /** When it was asked for first. */
  readonly at: number;
  /** That what was read takes in the blob. */
  readonly bytes: number;
  readonly waits: readonly StartWait[];
  readonly waitedMs: number;
  readonly networkMs: number;
  /** Those that brought it, each once. */
  readonly requests: readonly StartRequest[];
  /** The end of the start waited for one of its waits. */
  readonly isCritical: boolean;
}

/** A row for each file that was asked for, in the order in which that was. */
export function rowsOf(record: StartRecord, { waits: critical }: CriticalPath): Row[] {
  const reads = byFile(record.reads);
  const waits = byFile(record.waits);
  const onPath = new Set(critical);
  const rows = record.files.flatMap(({ layer, path }, file): Row[] => {
    const read = reads.get(file) ?? [];
    const waited = waits.get(file) ?? [];
    if (read.length + waited.length === 0) return [];
    const places = new Set(read.flatMap(({ request }) => request ?? []));
    return [
      {
        layer,
        path,
        at: Math.min(...[...read, ...waited].map(({ at }) => at)),
        bytes: read.reduce((sum, { bytes }) => sum + bytes, 0),
        waits: waited,
        waitedMs: waited.reduce((sum, { ms }) => sum + ms, 0),
        networkMs: waited.reduce((sum, { ms, networkMs }) => sum + Math.min(ms, networkMs), 0),
        requests: [...places].flatMap((place) => record.requests[place] ?? []),
        isCritical: waited.some((wait) => onPath.has(wait)),
      },
    ];
  });
  return rows.sort((a, b) => a.at - b.at);
}

function byFile<T extends StartRead | StartWait>(list: readonly T[]): Map<number, T[]> {
  const found = new Map<number, T[]>();
  for (const one of list) {
    const known = found.get(one.file);
    if (known === undefined) found.set(one.file, [one]);
    else known.push(one);
  }
  return found;
}
