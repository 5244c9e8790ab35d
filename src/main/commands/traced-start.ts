// SPDX-License-Identifier: GPL-3.0-or-later

import type { Traced, TracedRequest } from '../daemon/tracer.js';
import { startPage } from '../waterfall/page.js';
import { MOST_ENTRIES, type StartFile, type StartRecord, type StartUnread, unreadOf } from '../waterfall/record.js';

/** What was traced of a mount, to be shown as a page: so much of it as a start may have. */
export class TracedStart {
  readonly #merged: string;
  readonly #began = new Date();
  readonly #files: StartFile[] = [];
  readonly #places = new Map<string, number>();
  readonly #reads: StartRecord['reads'][number][] = [];
  readonly #waits: StartRecord['waits'][number][] = [];
  readonly #requests: TracedRequest[] = [];
  readonly #opened = new Set<number>();
  #layers = 0;
  #missed = 0;

  constructor(merged: string) {
    this.#merged = merged;
  }

  /** In the order in which it was told. */
  add(traced: Traced): void {
    if ('missed' in traced) this.#missed += traced.missed;
    else if ('request' in traced) {
      if (this.#requests.length < MOST_ENTRIES) this.#requests.push(traced.request);
    } else if (Math.max(this.#files.length, this.#waits.length) >= MOST_ENTRIES) this.#missed++;
    else {
      const { layer, path, bytes, endedMs, waitedMs, fetchedMs } = traced;
      const file = this.#place(layer, path);
      const at = Math.max(0, endedMs - waitedMs);
      if (waitedMs > 0) this.#waits.push({ file, at, ms: waitedMs, networkMs: fetchedMs });
      if (this.#opened.has(file)) return;
      this.#opened.add(file);
      this.#reads.push({ file, bytes, at, request: this.#broughtBy(layer, path) });
    }
  }

  /** All of that. */
  page(): string {
    const record: StartRecord = {
      image: '',
      began: this.#began.toISOString(),
      layers: Array.from({ length: Math.max(this.#layers, ...this.#requests.map(({ layer }) => layer)) }, () => ''),
      resolved: 0,
      ready: 0,
      files: this.#files,
      reads: this.#reads,
      waits: this.#waits,
      requests: this.#requests.map(({ layer, purpose, bytes, at, firstByteMs, ms }) => {
        return { layer: layer - 1, purpose, bytes, at, firstByteMs, ms };
      }),
      ...unreadOf(this.#unread()),
      missed: this.#missed,
    };
    const facts = [
      ['mount', this.#merged],
      ['traced from', record.began],
    ] as const;
    return startPage(record, { title: `What ${this.#merged} opened`, facts });
  }

  #place(layer: number, path: string): number {
    const key = `${layer} ${path}`;
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    this.#layers = Math.max(this.#layers, layer);
    const place = this.#files.push({ layer: Math.max(0, layer - 1), path: path.slice(1) }) - 1;
    this.#places.set(key, place);
    return place;
  }

  /** The place of the request that has ended last of those with something of a file. */
  #broughtBy(layer: number, path: string): number | null {
    const place = this.#requests.findLastIndex(
      (one) => one.layer === layer && one.files.some(([name]) => name === path),
    );
    return place < 0 ? null : place;
  }

  /** Files that came and were not opened, the largest parts first. */
  #unread(): StartUnread[] {
    const sums = new Map<string, StartUnread>();
    for (const { layer, purpose, files } of this.#requests) {
      for (const [path, bytes] of files) {
        const file = this.#place(layer, path);
        if (this.#opened.has(file)) continue;
        const key = `${file} ${purpose}`;
        sums.set(key, { file, bytes: bytes + (sums.get(key)?.bytes ?? 0), purpose });
      }
    }
    return [...sums.values()].sort((a, b) => b.bytes - a.bytes);
  }
}
