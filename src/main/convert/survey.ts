// SPDX-License-Identifier: GPL-3.0-or-later

import { nameOfBytes } from '../formats/name-bytes.js';
import type { TarEntry } from '../tar/entry.js';
import { memberPath } from '../tar/names.js';
import type { PaxRecords } from '../tar/pax.js';
import { isAdded } from './landmark.js';
import type { Matcher } from './patterns.js';
import { Remarks } from './remarks.js';
import { TarPlacement } from './tar-placement.js';

/** An entry in the copy of a tar. */
export interface Place {
  readonly start: number;
  /** Where it lands; `.` is the root. */
  readonly path: string;
  /** Hardlinks only. */
  readonly target: string | undefined;
  readonly globals: PaxRecords;
}

export interface Match extends Place {
  /** Of the first pattern that matches. */
  readonly rank: number;
}

type Landing = Pick<Place, 'path' | 'target'>;

/** What has to be known of all entries of a tar before some of them can be moved to its front. */
export class Survey {
  readonly matched: Match[] = [];
  /** By path: what the hardlinks there lead to. */
  readonly links = new Map<string, string[]>();
  /** Paths at which one entry took the place of another: what touches them means something else in another order. */
  readonly replaced = new Set<string>();
  /** By place: entries that land elsewhere than they say, as there are symlinks on the way. */
  readonly #landings = new Map<number, Landing>();
  readonly #placement = new TarPlacement(new Remarks());
  readonly #matcher: Matcher;

  constructor(matcher: Matcher) {
    this.#matcher = matcher;
  }

  /** Takes the next entry of the tar. Throws LayerFault for what no mount can show. */
  add(entry: TarEntry, globals: PaxRecords): void {
    if (isAdded(entry)) return;
    const { path: placed, target, replaces } = this.#placement.place(entry);
    const path = placed === '' ? '.' : placed;
    if (replaces) this.replaced.add(path);
    if (target !== undefined) addTo(this.links, path, target);
    const written = landingAsWritten(entry);
    if (written.path !== path || written.target !== target) this.#landings.set(entry.start, { path, target });
    const rank = this.#matcher.rank(path);
    const match = { start: entry.start, path, target, globals };
    if (rank !== undefined && !isLinkToItself(match)) this.matched.push({ ...match, rank });
  }

  /** No entry follows. */
  end(): void {
    this.#placement.end();
    this.#placement.release();
    this.matched.sort((a, b) => a.rank - b.rank || a.start - b.start);
  }

  /** Where an entry lands that was added before. */
  placeOf(entry: TarEntry, globals: PaxRecords): Place {
    return { start: entry.start, globals, ...(this.#landings.get(entry.start) ?? landingAsWritten(entry)) };
  }

  /** Whether an entry lands elsewhere than it says. */
  isMoved(entry: TarEntry): boolean {
    return this.#landings.has(entry.start);
  }
}

/** Whether an entry is a hardlink to what is there already: where that was not yet, it would be something else. */
export function isLinkToItself({ path, target }: Place): boolean {
  return path === target;
}

/** Adds to the list under a key. */
export function addTo<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

function landingAsWritten(entry: TarEntry): Landing {
  const target = entry.type === 'hardlink' ? memberPath(nameOfBytes(entry.linkName)) : undefined;
  return { path: memberPath(nameOfBytes(entry.name)), target };
}
