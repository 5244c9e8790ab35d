// SPDX-License-Identifier: GPL-3.0-or-later

/** Paths and globs that tell which files of a layer are wanted first. */

import { closeSync, openSync, readSync } from 'node:fs';
import { Minimatch } from 'minimatch';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';
import { nameOfBytes } from '../formats/name-bytes.js';
import { memberPath } from '../tar/names.js';

/** Bytes of a list: some hundred thousand paths, which is more than a start of a container reads. */
const LIST_LIMIT = 16 << 20;
/** Characters of a pattern: a path has 4095 bytes at most. */
const PATTERN_LIMIT = 1 << 16;

/**
 * The lines of a file, each a path or a glob: blank ones, and comments after #, say nothing, and so does the white space
 * around them. Throws CRFS_NOT_FOUND, CRFS_USAGE.
 */
export function readPatterns(path: string): string[] {
  let text: string;
  try {
    text = nameOfBytes(readList(path));
  } catch (error) {
    if (error instanceof CrfsError) throw error;
    throw new CrfsError('CRFS_NOT_FOUND', `cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
  const lines = text.split('\n').map((line) => line.trim()); // which takes a byte order mark away, too
  const patterns = lines.filter((line) => line !== '' && !line.startsWith('#'));
  const leaving = patterns.find((line) => line.includes('\0') || line.split('/').includes('..'));
  if (leaving !== undefined) throw new CrfsError('CRFS_USAGE', `${path}: ${JSON.stringify(leaving)} leaves the layer`);
  if (patterns.some(({ length }) => length > PATTERN_LIMIT)) {
    throw new CrfsError('CRFS_USAGE', `${path}: a line has more than ${PATTERN_LIMIT} characters`);
  }
  return patterns;
}

/** The bytes of a file that may be a pipe, or have no end. Throws CRFS_USAGE, and as the file system does. */
function readList(path: string): Uint8Array {
  const bytes = Buffer.allocUnsafe(LIST_LIMIT + 1);
  const file = openSync(path, 'r');
  try {
    let length = 0;
    let read: number;
    do {
      read = readSync(file, bytes, { offset: length });
      length += read;
    } while (read > 0 && length < bytes.length);
    if (length <= LIST_LIMIT) return bytes.subarray(0, length);
  } finally {
    closeSync(file);
  }
  throw new CrfsError('CRFS_USAGE', `${path} has more than ${LIST_LIMIT} bytes: not a list of paths`);
}

/** What to say of prioritized paths that match nothing. */
export function unmatchedWarnings(patterns: readonly string[]): string[] {
  return patterns.map((pattern) => `nothing matches the prioritized path ${pattern}`);
}

/** Paths are looked up, however many there are; only true patterns are tried one by one. */
export class Matcher {
  readonly #exact = new Map<string, number>();
  readonly #globs: { readonly rank: number; readonly glob: Minimatch }[] = [];
  readonly #patterns: readonly string[];
  readonly #isByHand: boolean;
  readonly #matched = new Set<number>();

  /** `isByHand`: written by a person, so that they may be globs; else each is a path from the layer's root, or that of another one. */
  constructor(patterns: readonly string[], isByHand = true) {
    this.#patterns = patterns;
    this.#isByHand = isByHand;
    for (const [rank, pattern] of patterns.entries()) {
      const clean = isByHand ? memberPath(pattern) : pattern;
      if (this.#exact.has(clean)) continue; // it has been said before
      this.#exact.set(clean, rank);
      if (!isByHand) continue;
      const glob = new Minimatch(clean, { dot: true, nocomment: true, nonegate: true });
      if (glob.hasMagic()) this.#globs.push({ rank, glob });
    }
  }

  /** The rank (place in the list) of the first pattern that matches a path, the root being `.`; undefined if none does. */
  rank(path: string): number | undefined {
    const ranks = this.#globs.filter(({ glob }) => glob.match(path)).map(({ rank }) => rank);
    const exact = this.#exact.get(path);
    if (exact !== undefined) ranks.push(exact);
    for (const rank of ranks) this.#matched.add(rank);
    return ranks.length === 0 ? undefined : Math.min(...ranks);
  }

  /** Patterns of a person that have matched nothing so far. */
  unmatched(): string[] {
    if (!this.#isByHand) return [];
    return [...this.#exact.values()]
      .filter((rank) => !this.#matched.has(rank))
      .map((rank) => this.#patterns[rank] ?? '');
  }
}
