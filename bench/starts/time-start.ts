// SPDX-License-Identifier: GPL-3.0-or-later

import type { Bench } from '../bench.js';
import type { Machine } from '../machines/machine.js';
import { lowerOf, type Remote, type Work } from './remote.js';

/**
 * Mounts an image that is behind a link, and has something done in it: notes what that takes, unless what `check` finds then, the
 * mount being there, makes it throw. Resolves to the bytes received.
 */
export async function timeStart<Tag extends string>(
  bench: Bench,
  machine: Machine,
  remote: Remote<Tag>,
  tag: Tag,
  { workload, what }: { readonly workload: number; readonly what: string },
  work: Work,
  check: (machine: Machine) => Promise<void> = async () => undefined,
): Promise<number> {
  const { link } = remote;
  link.reset();
  const started = performance.now();
  const mount = await machine.mount(lowerOf(remote, tag), { writable: true });
  const stop = await work(mount.merged);
  const seconds = (performance.now() - started) / 1000;
  const { received } = link;
  const { requests, inSequence } = link.exchanges;
  await stop?.();
  await check(machine);
  const question = { workload, what, link: link.name } as const;
  const { name } = machine.contender;
  bench.record({ ...question, metric: 'time', unit: 's' }, name, seconds);
  bench.record({ ...question, metric: 'time until mounted', unit: 's' }, name, mount.seconds);
  bench.record({ ...question, metric: 'requests', unit: 'count' }, name, requests);
  bench.record({ ...question, metric: 'round trips in sequence', unit: 'count' }, name, inSequence);
  bench.record({ ...question, metric: 'received', unit: 'MB' }, name, received / 1e6);
  await mount.unmount();
  return received;
}
