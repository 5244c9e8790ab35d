// SPDX-License-Identifier: GPL-3.0-or-later

/** What first starts over a link must reach: held against a pull of the ordinary image, and the same in its tree. */

import { product, productByKernel } from '../machines/contenders.js';
import { beside, far, MANY_LAYERS } from '../plan.js';
import type { Samples } from '../samples.js';
import type { PullerName } from '../starts/pull.js';
import { atMost, type Goal, PULLING, ratio, type Value } from './goal.js';

const puller = 'skopeo + umoci' satisfies PullerName;
/** At most so much of what pulling, extracting and doing the same takes, by what is done. */
const PROGRAMS = {
  'python3 -c print': { unknown: 0.08, learned: 0.06 },
  'python3, large imports': { unknown: 0.15, learned: 0.09 },
} as const;
const SERVICES = ['nginx', 'a Python web server'] as const;

export function startGoals(samples: Samples): Goal[] {
  return [product, productByKernel].flatMap(({ name, driver }) => goalsOf(samples, name, driver));
}

function goalsOf(samples: Samples, contender: string, driver: string): Goal[] {
  const ours = (workload: number, what: string, metric = 'time', link = far.name): Value =>
    samples.median({ workload, what, metric, link, contender });
  const pulled = (workload: number, what: string, link = far.name): Value =>
    samples.median({ workload, what, metric: 'time', link, contender: puller });
  const programs = Object.entries(PROGRAMS).flatMap(([program, { unknown, learned }]) => {
    const base = pulled(4, `${program}, first start`);
    return [
      atMost(`${driver}: ${program}`, unknown, PULLING, ratio(ours(4, `${program}, first start`), base)),
      atMost(
        `${driver}: ${program}, learned`,
        learned,
        PULLING,
        ratio(ours(4, `${program}, learned, first start`), base),
      ),
    ];
  });
  const received = Object.keys(PROGRAMS).map((program) => {
    const value = ours(4, `${program}, learned, first start`, 'received for each byte read');
    return atMost(`${driver}: ${program}, learned`, 1.3, 'bytes received for each byte read', value);
  });
  const layers = ratio(ours(10, `python3 -c print, ${MANY_LAYERS} layers`), ours(10, 'python3 -c print, 1 layer'));
  const services = SERVICES.flatMap((service) => {
    const answers = `${service} answers`;
    const base = pulled(11, answers);
    const near = ratio(ours(11, answers, 'time', beside.name), pulled(11, answers, beside.name));
    return [
      atMost(`${driver}: ${answers}`, 0.1, PULLING, ratio(ours(11, answers), base)),
      atMost(`${driver}: ${answers}, learned`, 0.1, PULLING, ratio(ours(11, `${answers}, learned`), base)),
      atMost(`${driver}: ${answers}, ${beside.name}`, 1, PULLING, near),
    ];
  });
  return [
    ...programs,
    ...received,
    atMost(`${driver}: ${MANY_LAYERS} layers, python3 -c print`, 1.2, 'x one layer', layers),
    ...services,
  ];
}
