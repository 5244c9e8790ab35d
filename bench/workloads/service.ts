// SPDX-License-Identifier: GPL-3.0-or-later

/** Workload 11: services that start over a link, until each has answered its first request. */

import type { Bench } from '../bench.js';
import { Link } from '../link/link.js';
import { serveImages } from '../link/registry.js';
import { product, productByKernel } from '../machines/contenders.js';
import { cat } from '../page-cache.js';
import { beside, far } from '../plan.js';
import { timeLearned } from '../starts/learned.js';
import { timePull } from '../starts/pull.js';
import { type ServiceName, services, serving } from '../starts/services.js';
import { timeStart } from '../starts/time-start.js';

/** An image for each, since an image has one order. */
const LEARNED_TAGS = { nginx: 'learned-nginx', 'a Python web server': 'learned-python' } as const;

export async function service(bench: Bench): Promise<void> {
  const data = await bench.data.services();
  const names = Object.keys(services) as ServiceName[];
  const layers = {
    estargz: [data.path],
    gzip: [data.gzip],
    'learned-nginx': [data.path],
    'learned-python': [data.path],
  };
  const images = await serveImages(layers, bench.undo);
  for (const plan of [far, beside]) {
    const link = await Link.open(plan, images.port);
    const close = bench.undo.add(() => link.close());
    const remote = { link, images };
    const works = Object.fromEntries(names.map((name) => [answers(name), serving(name, bench.undo)]));
    for (let turn = 0; turn < bench.plan.few; turn++) {
      await timePull(bench, remote, 'gzip', { workload: 11, what: 'pull and extract' }, works);
    }
    for (const name of names) {
      await bench.inTurn([product, productByKernel], bench.plan.repetitions, async (machine) => {
        await cat(images.root);
        await timeStart(
          bench,
          machine,
          remote,
          'estargz',
          { workload: 11, what: answers(name) },
          serving(name, bench.undo),
        );
      });
      if (plan !== far) continue;
      const question = { workload: 11, what: `${answers(name)}, learned` };
      await timeLearned(bench, remote, LEARNED_TAGS[name], question, serving(name, bench.undo));
    }
    await close();
  }
  await images.stop();
}

function answers(name: ServiceName): string {
  return `${name} answers`;
}
