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
import { addTo, type Place, type Survey } from './survey.js';

/** The places of the entries that come first, in their order. */
export async function arrange(spool: Spool, survey: Survey): Promise<Place[]> {
  const names = new Set<string>();
  for (const { path } of survey.matched) addNeeded(path, survey, names);
  const tangled = new Set<number>();
  const paths = orderedPaths(survey);
  if ([...names].some((name) => paths.has(name))) {
    for (const place of await find(spool, survey, (found) => touches(found, paths))) {
      tangled.add(place.start);
      addNeeded(place.path, survey, names);
    }
  }
  const found = await find(spool, survey, ({ path, start }) => names.has(path) || tangled.has(start));
  return inOrder(survey, found, tangled);
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

function inOrder({ matched }: Survey, found: readonly Place[], tangled: ReadonlySet<number>): Place[] {
  const byPath = new Map<string, Place[]>();
  for (const place of found) addTo(byPath, place.path, place);
  const knot = found.filter(({ start }) => tangled.has(start));
  const begun = new Set<Place>();
  const ordered = new Set<Place>();
  const needed = (place: Place): Place[] =>
    needs(place)
      .flatMap((path) => byPath.get(path) ?? [])
      .filter((other) => !tangled.has(other.start) && !begun.has(other));
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
    for (const place of tangled.has(start) ? knot : (byPath.get(path) ?? [])) put(place);
  }
  return [...ordered];
}

/** Adds a path, and all that has to stand before what is there. */
function addNeeded(path: string, { links }: Survey, names: Set<string>): void {
  const open = [path];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (names.has(name)) continue;
    names.add(name);
    open.push(...parents(name), ...(links.get(name) ?? []));
  }
}

function needs({ path, target }: Place): string[] {
  return target === undefined ? parents(path) : [...parents(path), target];
}

/** Whether an entry stands at one of the paths, or below, or is a hardlink to that. */
function touches(place: Place, paths: ReadonlySet<string>): boolean {
  const { path, target } = place;
  const ways = [path, ...parents(path), ...(target === undefined ? [] : [target, ...parents(target)])];
  return ways.some((way) => paths.has(way));
}

/** The directories above a path, from the root on. */
function parents(path: string): string[] {
  const parts = path === '.' ? [] : path.split('/');
  return parts.map((_, depth) => (depth === 0 ? '.' : parts.slice(0, depth).join('/')));
}

async function find(spool: Spool, survey: Survey, isWanted: (place: Place) => boolean): Promise<Place[]> {
  const places: Place[] = [];
  const reader = new TarReader(spool.read());
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    if (isAdded(entry)) continue;
    const place = survey.placeOf(entry, reader.globals);
    if (isWanted(place)) places.push(place);
  }
  return places;
}
