// SPDX-License-Identifier: GPL-3.0-or-later

/** Workload 9: `podman run IMAGE` over a link, of an ordinary image that it pulls, and of a lazy one out of our store. */

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from '../../test/tools/run.js';
import type { Bench } from '../bench.js';
import { Link } from '../link/link.js';
import { type Images, imageName, serveImages } from '../link/registry.js';
import { ownEnvironment } from '../machines/own-environment.js';
import { cat } from '../page-cache.js';
import { crfs } from '../paths.js';
import { far } from '../plan.js';

/** How podman comes to an image: by pulling it, or through our store. */
const WAYS = { 'podman, pull': 'gzip', 'podman, crfs store': 'estargz' } as const;

/** In seconds: podman that takes longer is given up. */
const LIMIT = '300';

type Way = keyof typeof WAYS;

/** What is measured is the image, not a network or limits of the container. */
const CONTAINERS = `[containers]
netns = "none"
cgroups = "disabled"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
`;

/**
 * Runs a container twice, in a namespace of mounts in which a container runtime finds cgroups; prints the nanoseconds that
 * each took. The store is there before, its daemon is not.
 */
const SCRIPT = `
mount --make-rprivate /
umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup
[ -z "$STORE" ] || crfs store "$STORE" >&2
for turn in 1 2; do
  began=$(date +%s%N)
  [ "$(podman run --rm --tls-verify=false "$IMAGE" echo hello)" = hello ]
  echo $(($(date +%s%N) - began))
done
[ -z "$STORE" ] || { podman rmi "$IMAGE" >/dev/null; crfs umount "$STORE" >&2; crfs stop >&2; }
`;

export async function podman(bench: Bench): Promise<void> {
  const { path } = await bench.data.debian();
  const images = await serveImages({ estargz: [path], gzip: [await bench.data.gzipped()] }, bench.undo);
  const link = await Link.open(far, images.port);
  const close = bench.undo.add(() => link.close());
  for (let turn = 0; turn < bench.plan.few; turn++) {
    for (const way of Object.keys(WAYS) as Way[]) await start(bench, link, images, way);
  }
  await close();
  await images.stop();
}

async function start(bench: Bench, link: Link, { root }: Images, way: Way): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'crfs-bench-podman-'));
  const remove = bench.undo.add(async () => bench.discard.remove(home));
  const store = way === 'podman, crfs store' ? directory(home, 'store') : '';
  await cat(root);
  link.reset();
  const env = { ...environment(home, store), IMAGE: imageName(link.host, WAYS[way]), STORE: store };
  const said = await run('timeout', ['-s', 'KILL', LIMIT, 'unshare', '-m', 'sh', '-ec', SCRIPT], { env });
  const [first = 0, second = 0] = String(said).trim().split('\n').map(Number);
  const question = { workload: 9, link: far.name } as const;
  const what = 'podman run IMAGE echo';
  bench.record({ ...question, what: `${what}, first`, metric: 'time', unit: 's' }, way, first / 1e9);
  bench.record({ ...question, what: `${what}, again`, metric: 'time', unit: 's' }, way, second / 1e9);
  bench.record({ ...question, what, metric: 'received', unit: 'MB' }, way, link.received / 1e6);
  await remove();
}

/** A machine of its own to podman and to us. */
function environment(home: string, store: string): NodeJS.ProcessEnv {
  const storage = {
    driver: 'overlay',
    graphroot: directory(home, 'graphroot'),
    runroot: directory(home, 'runroot'),
  };
  const lines = Object.entries(storage).map(([name, value]) => `${name} = "${value}"`);
  const stores = store === '' ? [] : ['[storage.options]', `additionallayerstores = ["${store}:ref"]`];
  writeFileSync(join(home, 'storage.conf'), ['[storage]', ...lines, ...stores, ''].join('\n'));
  writeFileSync(join(home, 'containers.conf'), CONTAINERS);
  return {
    ...process.env,
    PATH: `${dirname(crfs)}:${process.env['PATH']}`,
    ...ownEnvironment(home),
    CONTAINERS_STORAGE_CONF: join(home, 'storage.conf'),
    CONTAINERS_CONF: join(home, 'containers.conf'),
  };
}

function directory(home: string, name: string): string {
  const path = join(home, name);
  mkdirSync(path, { mode: 0o700 });
  return path;
}
