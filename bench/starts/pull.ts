// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../test/tools/run.js';
import type { Bench } from '../bench.js';
import { imageName } from '../link/registry.js';
import { cat } from '../page-cache.js';
import { timed } from '../time.js';
import type { Remote, Work } from './remote.js';

export type PullerName = 'skopeo + umoci' | 'curl + tar';

/** What each tool does, of the image $1 and its layer $2, and where the tree is then. */
const PULLERS: Readonly<Record<PullerName, { readonly command: string; readonly tree: string }>> = {
  'skopeo + umoci': {
    command:
      'skopeo copy -q --src-tls-verify=false "docker://$1" oci:image:latest && umoci unpack --image image:latest bundle >/dev/null 2>&1',
    tree: 'bundle/rootfs',
  },
  'curl + tar': { command: 'curl -sf "$2" | tar -C tree -xzf -', tree: 'tree' },
};
/** In seconds: a tool that takes longer is given up. */
const LIMIT = '300';

/**
 * What there is without us: an ordinary image, of one layer, pulled and unpacked by the tools for it, and by the least that any such
 * tool needs, the layer streamed from the socket into tar. Then something is done in its tree: each of `works` is noted as
 * the time of the pull and its own, by the name that it has there.
 */
export async function timePull<Tag extends string>(
  bench: Bench,
  { link, images }: Remote<Tag>,
  tag: Tag,
  { workload, what }: { readonly workload: number; readonly what: string },
  works: Readonly<Record<string, Work>>,
): Promise<void> {
  const image = imageName(link.host, tag);
  const layer = `http://${link.host}/v2/${image.slice(link.host.length + 1).replace(/:.*/, '')}/blobs/${images.blob[tag]}`;
  for (const name of bench.plan.pullers) {
    const { command, tree } = PULLERS[name];
    const cwd = mkdtempSync(join(tmpdir(), 'crfs-bench-pull-'));
    const remove = bench.undo.add(async () => bench.discard.remove(cwd));
    mkdirSync(join(cwd, 'tree'));
    await cat(images.root);
    link.reset();
    const args = ['-s', 'KILL', LIMIT, 'bash', '-o', 'pipefail', '-c', command, 'bash', image, layer];
    const seconds = await timed(() => run('timeout', args, { cwd }));
    const question = { workload, what, link: link.name } as const;
    bench.record({ ...question, metric: 'time', unit: 's' }, name, seconds);
    bench.record({ ...question, metric: 'requests', unit: 'count' }, name, link.exchanges.requests);
    bench.record({ ...question, metric: 'received', unit: 'MB' }, name, link.received / 1e6);
    for (const [then, work] of Object.entries(works)) {
      const began = performance.now();
      const stop = await work(join(cwd, tree));
      const more = (performance.now() - began) / 1000;
      await stop?.();
      bench.record({ ...question, what: then, metric: 'time', unit: 's' }, name, seconds + more);
    }
    await remove();
  }
}
