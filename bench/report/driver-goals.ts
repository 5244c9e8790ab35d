// SPDX-License-Identifier: GPL-3.0-or-later

/** What mounts by the kernel's overlay must reach: held against an overlay of the extracted tree, doing the same. */

import { extracted, extractedByKernel, productByKernel } from '../machines/contenders.js';
import type { Samples, Wanted } from '../samples.js';
import { atMost, difference, type Goal, ratio, scaled, type Value } from './goal.js';

/** At most so many times as long as the overlay of the extracted tree. */
const BOUNDS = {
  'find -ls, first mount': 3,
  'find -ls, later mount': 2,
  'find -ls, again': 1.1,
  'tar of everything, warm, first mount': 3,
  'tar of everything, warm, later mount': 1.5,
  'tar of everything, warm, again': 1.2,
  'open and read up to 4 KB, warm, later mount': 1.5,
  'open and read up to 4 KB, warm, again': 1.5,
  'python3 -c print, warm, first mount': 2.5,
  'python3 -c print, warm, later mount': 1.5,
  'python3 -c print, warm, again': 1.1,
} as const;

export function driverGoals(samples: Samples): Goal[] {
  const of = (contender: string, wanted: Wanted): Value => samples.median({ ...wanted, contender, workload: 8 });
  const ours = (wanted: Wanted): Value => of(productByKernel.name, wanted);
  const mount = (what: string): Value => ours({ what: `second mount of ${what}, until a file is read` });
  const cold = { what: 'tar of everything, nothing cached' } as const;
  const many = samples.rows.find(({ what }) => /^second mount of [\d,]+ entries/.test(what))?.what;
  const layers = samples.rows.find(({ what }) => /^second mount of an image of \d+ layers/.test(what))?.what;
  return [
    ...Object.entries(BOUNDS).map(([what, bound]) => {
      const times = ratio(ours({ what }), of(extractedByKernel.name, { what }));
      return atMost(`overlay: ${what}`, bound, "x the extracted tree's", times);
    }),
    atMost(
      `overlay: ${cold.what}`,
      0.5,
      "x fuse-overlayfs's on the extracted tree",
      ratio(ours(cold), of(extracted.name, cold)),
    ),
    atMost(
      'overlay: second mount of a Debian tree, until a file is read',
      15,
      'ms',
      scaled(mount('a Debian tree'), 1000),
    ),
    atMost(
      'overlay: second mount of very many entries, until a file is read',
      50,
      'ms',
      scaled(many === undefined ? undefined : ours({ what: many }), 1000),
    ),
    atMost(
      'overlay: second mount of very many layers',
      50,
      'ms over one layer',
      scaled(difference(layers === undefined ? undefined : ours({ what: layers }), mount('an image of 1 layer')), 1000),
    ),
  ];
}
