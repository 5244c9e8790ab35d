// SPDX-License-Identifier: GPL-3.0-or-later

/** What the product must reach, and whether it does. */

import { extracted, product, productByKernel } from '../machines/contenders.js';
import { far, nearest } from '../plan.js';
import type { Samples, Wanted } from '../samples.js';
import { driverGoals } from './driver-goals.js';
import { atLeast, atMost, difference, type Goal, ratio, scaled, type Value } from './goal.js';
import { plainGoals } from './plain-goals.js';
import { startGoals } from './start-goals.js';

/** Holds what was measured against every goal. */
export function evaluate(samples: Samples): Goal[] {
  const of = (contender: string, wanted: Wanted): Value => samples.median({ ...wanted, contender });
  const ours = (wanted: Wanted): Value => of(product.name, wanted);
  const floor = (wanted: Wanted): Value => of(extracted.name, wanted);
  const toFloor = (wanted: Wanted): Value => ratio(ours(wanted), floor(wanted));
  const podman = (contender: string): Value =>
    of(contender, { workload: 9, what: 'podman run IMAGE echo, first', metric: 'time' });
  const firstByte = { workload: 3, what: 'read all files, cold', files: 'small', readers: 1, layers: 1 } as const;
  const mounts = secondMount(samples);
  return [
    atMost('walk, first', 0.9, times, toFloor({ workload: 1, what: 'walk, first' })),
    atMost('walk, again', 0.9, times, toFloor({ workload: 1, what: 'walk, again' })),
    atMost('read everything, cold', 1.5, times, toFloor({ workload: 2, what: 'read everything, cold' })),
    atMost('read everything, again', 1.05, times, toFloor({ workload: 2, what: 'read everything, again' })),
    atMost(
      'read everything, second mount',
      1.05,
      times,
      toFloor({ workload: 2, what: 'read everything, second mount' }),
    ),
    atLeast(
      '8 parallel readers of large files, cold',
      0.6,
      'x the libdeflate limit',
      ratio(
        ours({ workload: 3, metric: 'throughput', files: 'large', readers: 8, layers: 1 }),
        samples.median({ workload: 3, what: 'inflate all members in memory', files: 'large' }),
      ),
    ),
    ...(['p50', 'p99'] as const).map((share) => {
      const wanted = { ...firstByte, metric: `first byte, ${share}` };
      const unit = 'us over the extracted tree';
      return atMost(
        `first byte of a cold 4 KB file, ${share}`,
        bounds[share],
        unit,
        difference(ours(wanted), floor(wanted)),
      );
    }),
    atMost(
      'podman run IMAGE echo over a link',
      0.12,
      'x podman pull and run',
      ratio(podman('podman, crfs store'), podman('podman, pull')),
    ),
    atMost('second mount of very many entries', 50, 'ms over a plain mount', scaled(mounts, 1000)),
    ...[far, nearest].map(({ name: link }) => {
      const wanted = { workload: 7, what: 'read a large file, cold', metric: 'time', link };
      const share = ratio(
        samples.least({ ...wanted, contender: 'curl' }),
        samples.least({ ...wanted, contender: productByKernel.name }),
      );
      return atLeast(
        `a cold large file from end to end, ${link}`,
        link === far.name ? 0.95 : 0.8,
        "x curl's speed, best of each",
        share,
      );
    }),
    atMost(
      '1 MiB in the middle of a cold large file',
      50,
      'ms over two round trips and its chunk, best',
      scaled(samples.least({ workload: 7, metric: 'time beyond two round trips and the chunk' }), 1000),
    ),
    atMost(
      '4 KB here and there in a cold large file',
      1.05,
      'bytes received for each byte of the chunks touched',
      samples.median({ workload: 7, metric: 'bytes received for each byte of chunks touched' }),
    ),
    atMost(
      'memory of a host that serves a large file',
      8,
      'MB more than before',
      ours({ workload: 7, metric: 'memory of the host, growth' }),
    ),
    atMost('memory of the idle daemon', 120, 'MB', ours({ workload: 6, metric: 'memory when idle' })),
    atMost('growth of the daemon', 0.5, 'MB a round', ours({ workload: 6, metric: 'growth' })),
    ...startGoals(samples),
    ...plainGoals(samples),
    ...driverGoals(samples),
  ];
}

const times = "x the extracted tree's time";
const bounds = { p50: 150, p99: 1000 } as const;

/** By how much the second mount of the synthetic layer takes longer than a plain one. */
function secondMount(samples: Samples): Value {
  const what = samples.rows.find((row) => /^mount of .* entries, second$/.test(row.what))?.what;
  if (what === undefined) return undefined;
  return difference(
    samples.median({ workload: 1, what, contender: product.name }),
    samples.median({ workload: 1, what: 'mount of any tree, second', contender: extracted.name }),
  );
}
