// SPDX-License-Identifier: GPL-3.0-or-later

/** Workload 4: containers that start over a link, next to a pull and an extraction over the same link. */

import type { Bench } from '../bench.js';
import type { Debian } from '../data/data.js';
import { filesOpened } from '../data/opened.js';
import { Link } from '../link/link.js';
import { serveImages } from '../link/registry.js';
import { extracted, productByKernel } from '../machines/contenders.js';
import { cat } from '../page-cache.js';
import { far } from '../plan.js';
import { say } from '../say.js';
import { timeLearned } from '../starts/learned.js';
import { type ProgramName, programs, running } from '../starts/programs.js';
import { timePull } from '../starts/pull.js';
import { lowerOf, type Remote } from '../starts/remote.js';
import { timeStart } from '../starts/time-start.js';

const LEARNED = ['python3 -c print', 'python3, large imports'] as const satisfies readonly ProgramName[];
/** An image for each program whose start is learned, since an image has one order. */
const LEARNED_TAGS = { 'python3 -c print': 'learned-print', 'python3, large imports': 'learned-imports' } as const;

type Tag = 'estargz' | 'prioritized' | 'gzip' | (typeof LEARNED_TAGS)[keyof typeof LEARNED_TAGS];

export async function start(bench: Bench): Promise<void> {
  const debian = await bench.data.debian();
  const layers: Record<Tag, string[]> = {
    estargz: [debian.path],
    prioritized: [bench.plan.prioritized.length === 0 ? debian.path : await prioritized(bench, debian)],
    gzip: [await bench.data.gzipped()],
    'learned-print': [debian.path],
    'learned-imports': [debian.path],
  };
  const images = await serveImages(layers, bench.undo);
  for (const plan of bench.plan.links) {
    const link = await Link.open(plan, images.port);
    const close = bench.undo.add(() => link.close());
    const remote = { link, images };
    const lower = { ...debian, layer: lowerOf(remote, 'estargz').layer };
    await bench.verified.sameBytes(bench, [extracted, ...bench.plugins, productByKernel], lower);
    const works = bench.plan.programs.map((program) => [`${program}, first start`, running(program)] as const);
    const what = { workload: 4, what: 'pull and extract' } as const;
    for (let turn = 0; turn < bench.plan.few; turn++) {
      await timePull(bench, remote, 'gzip', what, Object.fromEntries(works));
    }
    for (const program of bench.plan.programs) await startBy(bench, remote, 'estargz', program, '');
    if (plan === far) {
      for (const program of LEARNED) {
        const question = { workload: 4, what: `${program}, learned, first start` } as const;
        await timeLearned(bench, remote, LEARNED_TAGS[program], question, running(program));
      }
      for (const program of bench.plan.prioritized) {
        await startBy(bench, remote, 'prioritized', program, ', prioritized image');
      }
    }
    await close();
  }
  await images.stop();
}

/** A layer with the files at its front that the programs open. Returns its path. */
async function prioritized(bench: Bench, debian: Debian): Promise<string> {
  const opened = await filesOpened(bench, debian, Object.values(programs));
  say(`  ${opened.length} files are opened by the programs: they come first in the prioritized image`);
  return await bench.data.prioritized(opened);
}

/** Starts a program for the first time and for the second, by everybody. */
async function startBy(bench: Bench, remote: Remote<Tag>, tag: Tag, program: ProgramName, kind: string): Promise<void> {
  await bench.inTurn([...bench.plugins, productByKernel], bench.plan.repetitions, async (machine) => {
    await cat(remote.images.root);
    for (const time of ['first', 'second']) {
      const question = { workload: 4, what: `${program}${kind}, ${time} start` } as const;
      await timeStart(bench, machine, remote, tag, question, running(program));
    }
  });
}
