// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Which entries come first, and in which order, so that the tar still means the same: an extraction of it ends with the
 * same files. Each wanted entry comes behind the directories above it, and what it is a hardlink to. Where entries replace one
 * another, the order says which one lasts, and which one a hardlink has got: all entries that touch such a path are moved
 * together, in the order of the tar.
 */

import type { Spool } from '../blob/spool.js';
import { TarReader } from '../tar/reader.js';
import { isAdded } from './landmark.js';
import { addTo, isLinkToItself, type Place, type Survey } from './survey.js';

/** The places of the entries that come first, in the order in which they are written. */
export async function arrange(spool: Spool, survey: Survey): Promise<Place[]> {
  const wanted = new Set<string>(); // paths
  for (const { path } of survey.matched) addNeeded(path, survey, wanted);
  const together = new Set<number>(); // starts of entries that stay in the order of the tar
  const paths = orderedPaths(survey);
  if ([...wanted].some((path) => paths.has(path))) {
    for (const place of await find(spool, survey, (found) => touches(found, paths))) {
      together.add(place.start);
      addNeeded(place.path, survey, wanted);
    }
  }
  const found = await find(spool, survey, ({ path, start }) => wanted.has(path) || together.has(start));
  return afterNeeds(survey, found, together);
}

/** Paths at which it is the order that says what is there: entries replace one another, or are hardlinks to what others replace. */
function orderedPaths({ replaced, links }: Survey): Set<string> {
  const paths = new Set(replaced);
  const linksTo = new Map<string, string[]>();
  for (const [path, targets] of links) {
    for (const target of targets) {
      addTo(linksTo, target, path);
      if (parents(target).some((above) => replaced.has(above))) paths.add(path);
    }
  }
  const open = [...paths];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const more = (linksTo.get(path) ?? []).filter((link) => !paths.has(link));
    for (const link of more) paths.add(link);
    open.push(...more);
  }
  return paths;
}

/** Puts each entry that was found behind what it needs, in the order in which they matched: a depth-first search. */
function afterNeeds({ matched }: Survey, found: readonly Place[], together: ReadonlySet<number>): Place[] {
  const byPath = new Map<string, Place[]>();
  for (const place of found) addTo(byPath, place.path, place);
  const moved = found.filter(({ start }) => together.has(start));
  const begun = new Set<Place>();
  const ordered = new Set<Place>();
  const needed = (place: Place): Place[] =>
    needs(place)
      .flatMap((path) => byPath.get(path) ?? [])
      .filter((other) => !together.has(other.start) && !begun.has(other));
  const put = (place: Place): void => {
    const stack = [place];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const before = begun.has(top) ? [] : needed(top);
      begun.add(top);
      stack.push(...before.toReversed());
      if (before.length === 0) ordered.add(stack.pop() as Place);
    }
  };
  for (const { path, start } of matched) {
    for (const place of together.has(start) ? moved : (byPath.get(path) ?? [])) put(place);
  }
  return [...ordered];
}

/** Adds a path, and those of all that has to stand before it. */
function addNeeded(path: string, { links }: Survey, wanted: Set<string>): void {
  const open = [path];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (wanted.has(next)) continue;
    wanted.add(next);
    open.push(...parents(next), ...(links.get(next) ?? []));
  }
}

/** The paths that have to be there before an entry is. */
function needs({ path, target }: Place): string[] {
  return target === undefined ? parents(path) : [...parents(path), target];
}

/** Whether an entry stands at one of the paths, or below, or is a hardlink to that. */
function touches(place: Place, paths: ReadonlySet<string>): boolean {
  const { path, target } = place;
  const touched = [path, ...parents(path), ...(target === undefined ? [] : [target, ...parents(target)])];
  return touched.some((one) => paths.has(one));
}

/** The directories above a path, from the root on. */
function parents(path: string): string[] {
  const parts = path === '.' ? [] : path.split('/');
  return parts.map((_, depth) => (depth === 0 ? '.' : parts.slice(0, depth).join('/')));
}

/** The entries of the tar that are wanted, but for those that a conversion has added, and those that say nothing. */
async function find(spool: Spool, survey: Survey, isWanted: (place: Place) => boolean): Promise<Place[]> {
  const places: Place[] = [];
  const reader = new TarReader(spool.read());
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    if (isAdded(entry)) continue;
    const place = survey.placeOf(entry, reader.globals);
    if (!isLinkToItself(place) && isWanted(place)) places.push(place);
  }
  return places;
}
