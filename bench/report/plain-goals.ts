// SPDX-License-Identifier: GPL-3.0-or-later

/** What layers that nobody converted must reach. */

import { product, productByKernel } from '../machines/contenders.js';
import { far } from '../plan.js';
import type { Samples } from '../samples.js';
import type { PullerName } from '../starts/pull.js';
import { atLeast, atMost, type Goal, PULLING, ratio, scaled } from './goal.js';

const WORKLOAD = 12;
const puller = 'skopeo + umoci' satisfies PullerName;

export function plainGoals(samples: Samples): Goal[] {
  const indexing = { workload: WORKLOAD, what: 'index a Debian root file system in gzip' } as const;
  const time = (contender: string): number | undefined => samples.median({ ...indexing, metric: 'time', contender });
  const reading = { workload: WORKLOAD, what: 'read 4 KB here and there', metric: 'time of a read, p50' } as const;
  const started = (contender: string, what: string): number | undefined =>
    samples.median({ workload: WORKLOAD, what: `${what}, first start`, metric: 'time', link: far.name, contender });
  const starts = [product, productByKernel].flatMap(({ name, driver }) =>
    ['python3 -c print', 'python3, large imports'].flatMap((program) => {
      const pulled = started(puller, program);
      const indexed = ratio(started(name, `${program}, indexed`), pulled);
      return [
        atMost(`${driver}: ${program}, plain gzip`, 0.7, PULLING, ratio(started(name, program), pulled)),
        atMost(`${driver}: ${program}, plain gzip with an index in its registry`, 0.12, PULLING, indexed),
      ];
    }),
  );
  return [
    atLeast('index of a layer in gzip', 0.85, "x zlib's speed", ratio(time('zlib, into nothing'), time('crfs'))),
    atMost('restart points of that', 1, '% of the blob', samples.median({ ...indexing, metric: 'size of its points' })),
    atMost('4 KB of a plain layer, p50', 15, 'ms', scaled(samples.median(reading), 0.001)),
    ...starts,
  ];
}
