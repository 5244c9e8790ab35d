// SPDX-License-Identifier: GPL-3.0-or-later

/** Workload 10: an image of many layers that starts over a link, next to one layer of the same content. */

import type { Bench } from '../bench.js';
import { Link } from '../link/link.js';
import { serveImages } from '../link/registry.js';
import { product, productByKernel } from '../machines/contenders.js';
import { cat } from '../page-cache.js';
import { far, MANY_LAYERS } from '../plan.js';
import { running } from '../starts/programs.js';
import { timeStart } from '../starts/time-start.js';

export async function layers(bench: Bench): Promise<void> {
  const one = (await bench.data.debian()).path;
  const images = await serveImages({ one: [one], many: await bench.data.parts(MANY_LAYERS) }, bench.undo);
  const link = await Link.open(far, images.port);
  const close = bench.undo.add(() => link.close());
  for (const tag of ['one', 'many'] as const) {
    const what = tag === 'one' ? 'python3 -c print, 1 layer' : `python3 -c print, ${MANY_LAYERS} layers`;
    await bench.inTurn([product, productByKernel], bench.plan.repetitions, async (machine) => {
      await cat(images.root);
      await timeStart(bench, machine, { link, images }, tag, { workload: 10, what }, running('python3 -c print'));
    });
  }
  await close();
  await images.stop();
}
