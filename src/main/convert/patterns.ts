// SPDX-License-Identifier: GPL-3.0-or-later

/** Paths and globs that tell which files of a layer are wanted first. */

import { readFileSync } from 'node:fs';
import { Minimatch } from 'minimatch';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';
import { nameOfBytes } from '../formats/name-bytes.js';
import { cleanName } from '../tar/names.js';

/**
 * The lines of a file, each a path or a glob: blank ones, and comments after #, say nothing, and so does the white space
 * around them. Throws CRFS_NOT_FOUND, CRFS_USAGE.
 */
export function readPatterns(path: string): string[] {
  let text: string;
  try {
    text = nameOfBytes(readFileSync(path));
  } catch (error) {
    throw new CrfsError('CRFS_NOT_FOUND', `cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
  const lines = text.split('\n').map((line) => line.trim()); // which takes a byte order mark away, too
  const patterns = lines.filter((line) => line !== '' && !line.startsWith('#'));
  const leaving = patterns.find((line) => line.includes('\0') || line.split('/').includes('..'));
  if (leaving !== undefined) throw new CrfsError('CRFS_USAGE', `${path}: ${JSON.stringify(leaving)} leaves the layer`);
  return patterns;
}

/** Paths are looked up, however many there are; only true patterns are tried one by one. */
export class Matcher {
  readonly #exact = new Map<string, number>();
  readonly #globs: { readonly rank: number; readonly glob: Minimatch }[] = [];
  readonly #patterns: readonly string[];
  readonly #met = new Set<number>();

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns;
    for (const [rank, pattern] of patterns.entries()) {
      const clean = cleanName(pattern);
      if (this.#exact.has(clean)) continue; // it has been said before
      this.#exact.set(clean, rank);
      const glob = new Minimatch(clean, { dot: true, nocomment: true, nonegate: true });
      if (glob.hasMagic()) this.#globs.push({ rank, glob });
    }
  }

  /** The place in the list of the first pattern that matches a path, the root being `.`; undefined if none does. */
  rank(path: string): number | undefined {
    const ranks = this.#globs.filter(({ glob }) => glob.match(path)).map(({ rank }) => rank);
    const exact = this.#exact.get(path);
    if (exact !== undefined) ranks.push(exact);
    for (const rank of ranks) this.#met.add(rank);
    return ranks.length === 0 ? undefined : Math.min(...ranks);
  }

  /** Patterns that have matched nothing so far. */
  unmatched(): string[] {
    return [...this.#exact.values()].filter((rank) => !this.#met.has(rank)).map((rank) => this.#patterns[rank] ?? '');
  }
}
