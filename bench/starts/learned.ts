// SPDX-License-Identifier: GPL-3.0-or-later

import { setTimeout as sleep } from 'node:timers/promises';
import type { Profile } from '../../src/main/profile/profile.js';
import type { Bench } from '../bench.js';
import { imageName } from '../link/registry.js';
import { product, productByKernel } from '../machines/contenders.js';
import type { Machine } from '../machines/machine.js';
import { lowerOf, type Remote, type Work } from './remote.js';
import { timeStart } from './time-start.js';

const TRIES = 50;
const BETWEEN_MS = 100;

/**
 * Starts of an image that another machine has learned: it has started the image once, and attached what was read to it, in the
 * registry. The time is taken by both drivers, each time with nothing cached.
 */
export async function timeLearned<Tag extends string>(
  bench: Bench,
  remote: Remote<Tag>,
  tag: Tag,
  question: { readonly workload: number; readonly what: string },
  work: Work,
): Promise<void> {
  let read = 0;
  await bench.onMachine(product, async (machine) => {
    read = await learn(machine, remote, tag, work);
  });
  if (read === 0) return;
  await bench.inTurn([product, productByKernel], bench.plan.repetitions, async (machine) => {
    const received = await timeStart(bench, machine, remote, tag, question, work, expectLearned);
    const { link } = remote;
    const share = { ...question, link: link.name, metric: 'received for each byte read', unit: 'count' } as const;
    bench.record(share, machine.contender.name, received / read);
  });
}

/** Resolves to how many bytes of the image's blobs were read. */
async function learn<Tag extends string>(machine: Machine, remote: Remote<Tag>, tag: Tag, work: Work): Promise<number> {
  const { merged, unmount } = await machine.mount(lowerOf(remote, tag), { writable: true });
  const stop = await work(merged);
  await stop?.();
  await unmount();
  const image = imageName(remote.link.host, tag);
  const { order } = JSON.parse(await onceKept(() => machine.crfs('profile', 'show', '--json', image))) as Profile;
  await machine.crfs('profile', 'push', image);
  return order.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** The daemon keeps a profile soon after the mount has gone. */
async function onceKept(show: () => Promise<string>): Promise<string> {
  for (let tries = 1; ; tries++) {
    try {
      return await show();
    } catch (error) {
      if (tries === TRIES) throw error;
      await sleep(BETWEEN_MS);
    }
  }
}

/** Throws if a start was not fetched by what was learned: then another thing was timed. */
async function expectLearned(machine: Machine): Promise<void> {
  const { mounts } = await machine.status();
  const order = mounts.flatMap(({ starts = [] }) => starts.map((start) => start.order));
  if (order.every((one) => one === null))
    throw new Error('what was learned of the image was not found in its registry');
}
