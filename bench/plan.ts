// SPDX-License-Identifier: GPL-3.0-or-later

import type { ProgramName } from './starts/programs.js';
import type { PullerName } from './starts/pull.js';
import type { CompressorName } from './workloads/convert.js';

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
  /** Programs started over the links, and those started from an image with their files at its front too. */
  readonly programs: readonly ProgramName[];
  readonly prioritized: readonly ProgramName[];
  /** Tools that pull, and those that compress next to us. */
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

/** How many layers one image is cut into. */
export const MANY_LAYERS = 32;

/** The link that goals are about. */
export const far: LinkPlan = { name: '20 ms, 25 MB/s', rttMs: 20, rate: 25e6 };
/** One within a building. */
export const nearest: LinkPlan = { name: '1 ms, 200 MB/s', rttMs: 1, rate: 200e6 };
/** To a registry that is nearly on the same machine. */
export const beside: LinkPlan = { name: '1 ms, 500 MB/s', rttMs: 1, rate: 500e6 };

export const full: Plan = {
  name: 'full',
  repetitions: 3,
  entries: 1_000_000,
  readers: [1, 2, 8],
  readersOfEight: [1, 8],
  settings: true,
  links: [far],
  programs: ['python3 -c print', 'python3, large imports'],
  prioritized: ['python3 -c print', 'python3, large imports'],
  pullers: ['skopeo + umoci', 'curl + tar'],
  compressors: ['gzip', 'pigz'],
  few: 2,
  large: { part: 4 * 2 ** 30, whole: 2 ** 30 },
  idleSeconds: 20,
  rounds: 10,
};

export const quick: Plan = {
  name: 'quick',
  repetitions: 1,
  entries: 20_000,
  readers: [1, 8],
  readersOfEight: [],
  settings: false,
  links: [far],
  programs: ['python3 -c print', 'python3, large imports'],
  prioritized: [],
  pullers: ['skopeo + umoci'],
  compressors: ['pigz'],
  few: 1,
  large: { part: 2 ** 29, whole: 2 ** 28 },
  idleSeconds: 3,
  rounds: 1,
};
