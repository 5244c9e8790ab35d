// SPDX-License-Identifier: GPL-3.0-or-later

/** The order in which entries are written: the tar's, or what a container needs at its start first. */

import { Minimatch } from 'minimatch';
import { Spool } from '../blob/spool.js';
import type { TarEntry } from '../tar/entry.js';
import { cleanName } from '../tar/names.js';
import type { PaxRecords } from '../tar/pax.js';
import { TarReader } from '../tar/reader.js';
import {
  isAdded,
  type Landmark,
  landmarkContent,
  landmarkEntry,
  noPrefetchLandmark,
  prefetchLandmark,
} from './landmark.js';

export interface Item {
  readonly entry: TarEntry;
  /** To be read before the next item is asked for, or not at all. */
  readonly content: AsyncIterable<Uint8Array>;
  /** Its member holds no other file: landmarks divide the blob at a member. */
  readonly alone: boolean;
}

/** The entries as they come, behind a landmark, where the format has it, that says that none is wanted at start. */
export async function* inOrder(tar: AsyncIterable<Uint8Array>, landmarks: boolean): AsyncGenerator<Item> {
  const reader = new TarReader(tar);
  try {
    const first = await reader.next();
    if (landmarks) yield landmark(noPrefetchLandmark);
    for (let entry = first; entry; entry = await reader.next()) {
      if (!isAdded(entry)) yield { entry, content: reader.content(), alone: false };
    }
  } finally {
    await reader.close();
  }
}

/**
 * The entries that the patterns match, in the patterns' order, each behind the directories above it and what it is a
 * hardlink to; then a landmark; then all others as they come. The tar is copied to disk for that.
 * Patterns that match nothing are added to `unmatched`.
 */
export async function* prioritized(
  tar: AsyncIterable<Uint8Array>,
  patterns: readonly string[],
  landmarks: boolean,
  unmatched: string[],
): AsyncGenerator<Item> {
  const spool = await Spool.create();
  try {
    const matcher = new Matcher(patterns);
    const matched = await copyAndMatch(tar, spool, matcher);
    unmatched.push(...patterns.filter((_, index) => !matched.some(({ rank }) => rank === index)));
    const places = await arrange(spool, matched);
    for (const place of places) yield* itemAt(spool, place);
    if (landmarks) yield landmark(prefetchLandmark);
    const starts = new Set(places.map(({ start }) => start));
    const reader = new TarReader(spool.read());
    for (let entry = await reader.next(); entry; entry = await reader.next()) {
      if (!isAdded(entry) && !starts.has(entry.start)) yield { entry, content: reader.content(), alone: false };
    }
  } finally {
    await spool.close();
  }
}

/** An entry in the copy of the tar. */
interface Place {
  readonly start: number;
  readonly name: string;
  /** Hardlinks only. */
  readonly target: string | undefined;
  readonly globals: PaxRecords;
}

interface Match extends Place {
  /** Index of the first pattern that matches. */
  readonly rank: number;
}

/** Paths are looked up, however many there are; only true patterns are tried one by one. */
class Matcher {
  readonly #exact = new Map<string, number>();
  readonly #globs: { readonly rank: number; readonly glob: Minimatch }[] = [];

  constructor(patterns: readonly string[]) {
    for (const [rank, pattern] of patterns.entries()) {
      const clean = cleanName(pattern);
      if (!this.#exact.has(clean)) this.#exact.set(clean, rank);
      const glob = new Minimatch(clean, { dot: true, nocomment: true, nonegate: true });
      if (glob.hasMagic()) this.#globs.push({ rank, glob });
    }
  }

  rank(name: string): number | undefined {
    const ranks = this.#globs.filter(({ glob }) => glob.match(name)).map(({ rank }) => rank);
    const exact = this.#exact.get(name);
    if (exact !== undefined) ranks.push(exact);
    return ranks.length === 0 ? undefined : Math.min(...ranks);
  }
}

async function copyAndMatch(tar: AsyncIterable<Uint8Array>, spool: Spool, matcher: Matcher): Promise<Match[]> {
  const matched: Match[] = [];
  const reader = new TarReader(copied(tar, spool));
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    const place = placeOf(entry, reader.globals);
    const rank = matcher.rank(place.name);
    if (rank !== undefined && !isAdded(entry)) matched.push({ ...place, rank });
  }
  return matched.sort((a, b) => a.rank - b.rank || a.start - b.start);
}

async function* copied(tar: AsyncIterable<Uint8Array>, spool: Spool): AsyncGenerator<Uint8Array> {
  for await (const piece of tar) {
    await spool.append(piece);
    yield piece;
  }
}

/** Puts what an entry needs before it; every entry once, entries of one name together. */
async function arrange(spool: Spool, matched: readonly Match[]): Promise<Place[]> {
  const known = new Map<string, Place[]>();
  let wanted = new Set(matched.flatMap((match) => [match.name, ...needs(match)]));
  while (wanted.size > 0) {
    const found = await find(spool, wanted);
    for (const name of wanted) known.set(name, []);
    for (const place of found) known.get(place.name)?.push(place);
    wanted = new Set(found.flatMap(needs).filter((name) => !known.has(name)));
  }
  const ordered = new Set<Place>();
  const visited = new Set<string>();
  const put = (name: string): void => {
    if (visited.has(name)) return;
    visited.add(name);
    const places = known.get(name) ?? [];
    for (const needed of [...parents(name), ...places.flatMap(needs)]) put(needed);
    for (const place of places) ordered.add(place);
  };
  for (const { name } of matched) put(name);
  return [...ordered];
}

function needs({ name, target }: Place): string[] {
  return target === undefined ? parents(name) : [...parents(name), target];
}

/** The directories above a path, from the root on. */
function parents(name: string): string[] {
  const parts = name === '.' ? [] : name.split('/');
  return parts.map((_, depth) => (depth === 0 ? '.' : parts.slice(0, depth).join('/')));
}

async function find(spool: Spool, names: ReadonlySet<string>): Promise<Place[]> {
  const places: Place[] = [];
  const reader = new TarReader(spool.read());
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    const place = placeOf(entry, reader.globals);
    if (names.has(place.name) && !isAdded(entry)) places.push(place);
  }
  return places;
}

function placeOf(entry: TarEntry, globals: PaxRecords): Place {
  const target = entry.type === 'hardlink' ? cleanName(entry.linkName.toString()) : undefined;
  return { start: entry.start, name: cleanName(entry.name.toString()), target, globals };
}

async function* itemAt(spool: Spool, place: Place): AsyncGenerator<Item> {
  const reader = new TarReader(spool.read(place.start), place.globals);
  try {
    const entry = await reader.next();
    if (entry) yield { entry, content: reader.content(), alone: false };
  } finally {
    await reader.close();
  }
}

function landmark(name: Landmark): Item {
  return { entry: landmarkEntry(name), content: once(landmarkContent), alone: true };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
