// SPDX-License-Identifier: GPL-3.0-or-later

/** The order in which entries are written: the tar's, or first what a container needs when it starts. */

import { Spool } from '../blob/spool.js';
import { NO_PREFETCH_LANDMARK, PREFETCH_LANDMARK } from '../formats/estargz/names.js';
import { bytesOfName } from '../formats/name-bytes.js';
import { renamed, type TarEntry } from '../tar/entry.js';
import { BLOCK_SIZE } from '../tar/header.js';
import { TarReader } from '../tar/reader.js';
import { arrange } from './arrange.js';
import { isAdded, LANDMARK_CONTENT, type Landmark, landmarkEntry } from './landmark.js';
import type { Matcher } from './patterns.js';
import { type Place, Survey } from './survey.js';

interface OrderOptions {
  /** Whether the format has landmarks: eStargz does. */
  readonly landmarks: boolean;
  /** See TarReader. */
  readonly isWhole: boolean;
}

/** What is known of a tar once all of its items have been taken. */
export interface Seen {
  /** Patterns that match nothing. */
  readonly unmatched: string[];
  /** Bytes behind the last entry. */
  tail: number;
}

export interface Item {
  readonly entry: TarEntry;
  /** To be read before the next item is asked for, or not at all. */
  readonly content: AsyncIterable<Uint8Array>;
  /** Its member holds no other file: landmarks divide the blob at a member. */
  readonly alone: boolean;
}

/** The entries as they come; where the format has landmarks, behind the one by which nothing is prefetched. */
export async function* inTarOrder(
  tar: AsyncIterable<Uint8Array>,
  { landmarks, isWhole }: OrderOptions,
  seen: Seen,
): AsyncGenerator<Item> {
  const reader = new TarReader(tar, new Map(), isWhole);
  try {
    const first = await reader.next();
    if (landmarks) yield landmark(NO_PREFETCH_LANDMARK);
    for (let entry = first; entry; entry = await reader.next()) {
      if (!isAdded(entry)) yield { entry, content: reader.content(), alone: false };
    }
    seen.tail = reader.tail;
  } finally {
    await reader.close();
  }
}

/**
 * The entries that the patterns match, in the patterns' order, each behind what it needs; then a landmark; then all others
 * as they come. The tar is copied to disk for that.
 */
export async function* prioritized(
  tar: AsyncIterable<Uint8Array>,
  matcher: Matcher,
  { landmarks, isWhole }: OrderOptions,
  seen: Seen,
): AsyncGenerator<Item> {
  const spool = await Spool.create();
  try {
    const survey = await copyAndSurvey(tar, isWhole, spool, matcher, seen);
    seen.unmatched.push(...matcher.unmatched());
    const places = await arrange(spool, survey);
    for (const place of places) yield* itemAt(spool, place, survey);
    if (landmarks) yield landmark(PREFETCH_LANDMARK);
    const starts = new Set(places.map(({ start }) => start));
    const reader = new TarReader(spool.read());
    for (let entry = await reader.next(); entry; entry = await reader.next()) {
      if (!isAdded(entry) && !starts.has(entry.start)) {
        yield { entry: landed(entry, survey), content: reader.content(), alone: false };
      }
    }
  } finally {
    await spool.close();
  }
}

async function copyAndSurvey(
  tar: AsyncIterable<Uint8Array>,
  isWhole: boolean,
  spool: Spool,
  matcher: Matcher,
  seen: Seen,
): Promise<Survey> {
  const survey = new Survey(matcher);
  const reader = new TarReader(copied(tar, spool), new Map(), isWhole);
  try {
    for (let entry = await reader.next(); entry; entry = await reader.next()) survey.add(entry, reader.globals);
    survey.end();
    seen.tail = reader.tail;
  } finally {
    await reader.close();
  }
  await spool.append(Buffer.alloc(2 * BLOCK_SIZE)); // an end, which the tar may lack
  return survey;
}

async function* copied(tar: AsyncIterable<Uint8Array>, spool: Spool): AsyncGenerator<Uint8Array> {
  for await (const piece of tar) {
    await spool.append(piece);
    yield piece;
  }
}

/** An entry under the path where it lands: in another order, the symlinks on the way may not be there yet, or be gone. */
function landed(entry: TarEntry, survey: Survey): TarEntry {
  if (!survey.isMoved(entry)) return entry;
  const { path, target } = survey.placeOf(entry, new Map());
  return renamed(entry, bytesOfName(path), target === undefined ? entry.linkName : bytesOfName(target));
}

/** The entry at a place in the copy. */
async function* itemAt(spool: Spool, place: Place, survey: Survey): AsyncGenerator<Item> {
  const reader = new TarReader(spool.read(place.start), place.globals);
  try {
    const entry = await reader.next();
    if (entry)
      yield { entry: landed({ ...entry, start: place.start }, survey), content: reader.content(), alone: false };
  } finally {
    await reader.close();
  }
}

function landmark(name: Landmark): Item {
  return { entry: landmarkEntry(name), content: once(LANDMARK_CONTENT), alone: true };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
