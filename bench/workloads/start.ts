// SPDX-License-Identifier: GPL-3.0-or-later

/** Workload 4: containers that start over a link, next to a pull and an extraction over the same link. */

import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../test/tools/run.js';
import type { Bench } from '../bench.js';
import { filesOpened } from '../data/opened.js';
import { Link } from '../link/link.js';
import { type Images, imageName, serveImages, type Tag } from '../link/registry.js';
import { extracted } from '../machines/contenders.js';
import type { Machine } from '../machines/machine.js';
import { cat } from '../page-cache.js';
import type { LinkPlan } from '../plan.js';
import { say } from '../say.js';
import { timed } from '../time.js';

/** What is run in the containers. */
export const programs = {
  'sh -c echo': ['/bin/sh', '-c', 'echo hello'],
  'python3 -c print': ['/usr/bin/python3', '-c', 'print("hello")'],
  'python3, large imports': [
    '/usr/bin/python3',
    '-c',
    'import argparse, asyncio, concurrent.futures, ctypes, decimal, email.message, http.client, json, logging.config, ' +
      'multiprocessing, sqlite3, ssl, tarfile, unittest, urllib.request, xml.etree.ElementTree, zipfile; print("hello")',
  ],
} as const;

export type PullerName = 'skopeo + umoci' | 'curl + tar';
export type ProgramName = keyof typeof programs;

export async function start(bench: Bench): Promise<void> {
  const debian = await bench.data.debian();
  const opened = await filesOpened(bench, debian, Object.values(programs));
  say(`  ${opened.length} files are opened by the programs: they come first in the prioritized image`);
  const layers = {
    estargz: debian.path,
    prioritized: await bench.data.prioritized(opened),
    gzip: await bench.data.gzipped(),
  };
  const images = await serveImages(layers, debian.tar, bench.undo);
  for (const plan of bench.plan.links) {
    const link = await Link.open(plan, images.port);
    const close = bench.undo.add(() => link.close());
    await bench.verified.sameBytes(bench, [extracted, ...bench.plugins], {
      ...debian,
      layer: layerOf(link, 'estargz'),
    });
    for (let turn = 0; turn < bench.plan.few; turn++) await pull(bench, plan, link, images);
    for (const tag of bench.plan.started) await startAll(bench, plan, link, images, tag);
    await close();
  }
  await images.stop();
}

function layerOf(link: Link, tag: Tag): string {
  return `docker://${imageName(link.host, tag)}`;
}

async function startAll(bench: Bench, plan: LinkPlan, link: Link, images: Images, tag: Tag): Promise<void> {
  const kind = tag === 'prioritized' ? ', prioritized image' : '';
  for (const program of bench.plan.programs) {
    await bench.inTurn(bench.plugins, bench.plan.few, async (machine) => {
      await cat(images.root);
      await startOne(bench, plan, link, machine, tag, program, `${program}${kind}, first start`);
      await startOne(bench, plan, link, machine, tag, program, `${program}${kind}, second start`);
    });
  }
}

async function startOne(
  bench: Bench,
  plan: LinkPlan,
  link: Link,
  machine: Machine,
  tag: Tag,
  program: ProgramName,
  what: string,
): Promise<void> {
  link.reset();
  const started = performance.now();
  const mount = await machine.mount({ tree: '', layer: layerOf(link, tag) }, { writable: true });
  const said = String(await run('chroot', [mount.merged, ...programs[program]]));
  const seconds = (performance.now() - started) / 1000;
  if (said !== 'hello\n') throw new Error(`${program} printed ${JSON.stringify(said)}`);
  const { received, exchanges } = link;
  const question = { workload: 4, what, link: plan.name } as const;
  const { name } = machine.contender;
  bench.record({ ...question, metric: 'time', unit: 's' }, name, seconds);
  bench.record({ ...question, metric: 'time until mounted', unit: 's' }, name, mount.seconds);
  bench.record({ ...question, metric: 'requests', unit: 'count' }, name, exchanges.requests);
  bench.record({ ...question, metric: 'round trips in sequence', unit: 'count' }, name, exchanges.inSequence);
  bench.record({ ...question, metric: 'received', unit: 'MB' }, name, received / 1e6);
  await mount.unmount();
}

/**
 * What there is without us: the ordinary image, pulled and unpacked by the tools for it; and the least that any such tool
 * needs, the layer streamed from the socket into tar.
 */
async function pull(bench: Bench, plan: LinkPlan, link: Link, { root, blob }: Images): Promise<void> {
  const image = imageName(link.host, 'gzip');
  const ways: Record<PullerName, string> = {
    'skopeo + umoci': `skopeo copy -q --src-tls-verify=false docker://${image} oci:image:latest && umoci unpack --image image:latest bundle >/dev/null 2>&1`,
    'curl + tar': `curl -sf http://${link.host}/v2/debian/blobs/${blob.gzip} | tar -C tree -xzf -`,
  };
  for (const name of bench.plan.pullers) {
    const cwd = mkdtempSync(join(tmpdir(), 'crfs-bench-pull-'));
    const remove = bench.undo.add(async () => bench.discard.remove(cwd));
    mkdirSync(join(cwd, 'tree'));
    await cat(root);
    link.reset();
    const seconds = await timed(() => run('bash', ['-o', 'pipefail', '-c', ways[name]], { cwd }));
    const question = { workload: 4, what: 'pull and extract', link: plan.name } as const;
    bench.record({ ...question, metric: 'time', unit: 's' }, name, seconds);
    bench.record({ ...question, metric: 'requests', unit: 'count' }, name, link.exchanges.requests);
    bench.record({ ...question, metric: 'received', unit: 'MB' }, name, link.received / 1e6);
    await remove();
  }
}
