// SPDX-License-Identifier: GPL-3.0-or-later

import type { Tag } from './link/registry.js';
import type { CompressorName } from './workloads/convert.js';
import type { ProgramName, PullerName } from './workloads/start.js';

/** How much of everything is done. */
export interface Plan {
  readonly name: 'full' | 'quick';
  /** How often each thing is measured. */
  readonly repetitions: number;
  /** Entries of the synthetic layer. */
  readonly entries: number;
  /** Numbers of readers of one layer at once. */
  readonly readers: readonly number[];
  /** Numbers of readers of eight layers at once. */
  readonly readersOfEight: readonly number[];
  /** Whether other engines, and numbers of workers, are measured too. */
  readonly settings: boolean;
  readonly links: readonly LinkPlan[];
  /** Images whose programs are started. */
  readonly started: readonly Exclude<Tag, 'gzip'>[];
  /** Programs started over the links, tools that pull, and those that compress next to us: by their names. */
  readonly programs: readonly ProgramName[];
  readonly pullers: readonly PullerName[];
  readonly compressors: readonly CompressorName[];
  /** Repetitions of what takes the longest: downloads of everything, conversions. */
  readonly few: number;
  /** Bytes of the large files that are read in part, and from end to end. */
  readonly large: { readonly part: number; readonly whole: number };
  /** For how long the idle daemon is watched. */
  readonly idleSeconds: number;
  /** Rounds of reading after which a daemon should be as large as before. */
  readonly rounds: number;
}

export interface LinkPlan {
  readonly name: string;
  readonly rttMs: number;
  /** Bytes a second. */
  readonly rate: number;
}

/** How many readers engines and numbers of workers are compared with. */
export const COMPARED_READERS = 8;

/** The link that goals are about. */
export const far: LinkPlan = { name: '20 ms, 25 MB/s', rttMs: 20, rate: 25e6 };
/** One within a building. */
export const nearest: LinkPlan = { name: '1 ms, 200 MB/s', rttMs: 1, rate: 200e6 };
const near: LinkPlan = { name: '5 ms, 100 MB/s', rttMs: 5, rate: 100e6 };

export const full: Plan = {
  name: 'full',
  repetitions: 5,
  entries: 1_000_000,
  readers: [1, 2, 4, 8, 16],
  readersOfEight: [1, 2, 4, 8, 16],
  settings: true,
  links: [far, near],
  started: ['estargz', 'prioritized'],
  programs: ['sh -c echo', 'python3 -c print', 'python3, large imports'],
  pullers: ['skopeo + umoci', 'curl + tar'],
  compressors: ['gzip', 'pigz'],
  few: 3,
  large: { part: 4 * 2 ** 30, whole: 2 ** 30 },
  idleSeconds: 60,
  rounds: 20,
};

export const quick: Plan = {
  name: 'quick',
  repetitions: 1,
  entries: 20_000,
  readers: [1, 8],
  readersOfEight: [],
  settings: false,
  links: [far],
  started: ['estargz'],
  programs: ['python3 -c print', 'python3, large imports'],
  pullers: ['skopeo + umoci'],
  compressors: ['pigz'],
  few: 1,
  large: { part: 2 ** 29, whole: 2 ** 28 },
  idleSeconds: 3,
  rounds: 1,
};
