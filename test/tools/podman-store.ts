// SPDX-License-Identifier: GPL-3.0-or-later

/** The real podman with `crfs store` as its additional layer store, and an image of five layers for it. */

import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { ExecutionContext } from 'ava';
import type { Status } from '../../src/main/daemon/status.js';
import { type FaultProxy, startFaultProxy } from './fault-proxy.js';
import { imageOf } from './image.js';
import { type Machine, until } from './machine.js';
import { commandsWith } from './pages.js';
import { inNamespace, podmanMachine, tarOfPrograms } from './podman.js';
import { type Registry, startRegistry } from './registry.js';
import { pushImage, type TestImage } from './registry-image.js';
import { writeTar } from './tar-writer.js';

const CONFIG = {
  Entrypoint: ['/bin/sh', '-c'],
  Cmd: ['echo "$GREETING from $(pwd) as $(id -u):$(id -g), $(cat part-4)"'],
  Env: ['PATH=/bin', 'GREETING=hello'],
  User: '1000:100',
  WorkingDir: '/data',
  Volumes: { '/kept': {} },
};
/** What a container of the image says. */
export const SAID = 'hello from /data as 1000:100, part 4\n';
/** What no container reads of the image, unless it is told to: it comes in six chunks. */
export const UNREAD = randomBytes(24 << 20);

export interface PodmanStore {
  readonly machine: Machine;
  readonly registry: Registry;
  readonly proxy: FaultProxy;
  readonly image: TestImage;
}

/** A machine whose podman knows of a store, and an image of five layers, lazy as `img:1` and not as `plain:1`. */
export async function podmanStore(t: ExecutionContext): Promise<PodmanStore> {
  const machine = podmanMachine(t);
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(() => proxy.close());
  const programs = await tarOfPrograms(machine, ['/bin/sh', '/bin/id', '/bin/cat', '/bin/ls']);
  const parts = [1, 2, 3, 4].map((n) => {
    const path = join(machine.directory('tars'), `part-${n}.tar`);
    writeTar(path, [
      { name: 'data/', type: '5', mode: 0o755 },
      { name: `data/part-${n}`, content: `part ${n}\n` },
      ...(n === 2 ? [{ name: 'data/unread', content: UNREAD }] : []),
    ]);
    return path;
  });
  const image = withSizes(await imageOf([programs, ...parts], {}, CONFIG));
  await pushImage(image, `${registry.host}/img:1`);
  const layers = image.layers.map((layer) => ({ ...layer, annotations: {} }));
  await pushImage({ ...image, layers }, `${registry.host}/plain:1`);
  configure(machine, proxy.host);
  return { machine, registry, proxy, image };
}

/** The same image, whose manifest tells the sizes of tars, as that of any converter does. */
function withSizes(image: TestImage): TestImage {
  const layers = image.layers.map((layer) => {
    const size = gunzipSync(layer.bytes).length;
    return { ...layer, annotations: { ...layer.annotations, 'io.containers.estargz.uncompressed-size': `${size}` } };
  });
  return { ...image, layers };
}

/** Tells a machine's podman of its storage, a store and a registry, and scripts there of all that by variables. */
export function configure(machine: Machine, host: string): void {
  const store = machine.directory('user/store');
  const storage = join(machine.root, 'storage.conf');
  writeFileSync(
    storage,
    `[storage]
driver = "overlay"
graphroot = "${machine.directory('home/graph')}"
runroot = "${machine.directory('run/containers')}"
${commandsWith('[storage.options]').replace('/run/crfs/store', store)}
`,
  );
  const registries = join(machine.root, 'registries.conf');
  writeFileSync(registries, `[[registry]]\nlocation = "${host}"\ninsecure = true\n`);
  for (const path of [storage, registries]) chmodSync(path, 0o644);
  Object.assign(machine.env, {
    CONTAINERS_STORAGE_CONF: storage,
    CONTAINERS_REGISTRIES_CONF: registries,
    CRFS_BACKGROUND: 'off',
    store,
    image: `${host}/img:1`,
    plain: `${host}/plain:1`,
    copy: `${host}/copy:1`,
  });
}

/** Ends what a script has begun, however that ends. */
const END = `trap 'crfs umount --lazy $store >/dev/null 2>&1 || true; crfs stop >/dev/null' EXIT
`;

/** Runs a script as root that has a store. */
export async function asRoot(machine: Machine, script: string, patience = '60m'): Promise<string> {
  return await inNamespace(machine, 'true', [
    'sh',
    '-ec',
    `${END}${PAUSE}crfs store $store --patience ${patience} >/dev/null\n${script}`,
  ]);
}

/** For scripts that a test does something beside: `pause NAME` waits until it has, for as long as it takes. */
export const PAUSE = `pause() { : >paused-$1; until test -e go-$1; do sleep 0.1; done; }
`;

/** Begins a script for `asUser`, as `asRoot` begins one: there is a store. */
export const BY_USER = `${PAUSE}podman unshare crfs store $store --patience 60m >/dev/null
`;

/** Does something while a script pauses, and has it go on. */
export async function atPause(
  machine: Machine,
  running: Promise<string>,
  name: string,
  act: () => unknown,
): Promise<void> {
  const at = (what: string): string => join(machine.root, 'user', `${what}-${name}`);
  await Promise.race([running, until(`a script pauses: ${name}`, () => existsSync(at('paused')))]);
  try {
    await act();
  } finally {
    writeFileSync(at('go'), ''); // or it would wait for ever
  }
}

/** What `crfs status --json` has told a script, in the directory of the user. */
export function statusOf(machine: Machine): Status {
  return JSON.parse(readFileSync(join(machine.root, 'user/status.json'), 'utf8')) as Status;
}

/** A container that reads something, and all else once its input says so: meanwhile the script pauses, `running`. */
export const READER = `
  mkfifo in
  podman run -q -i --name reader $image 'cat part-1; read x; cat unread' <in >out 2>err & exec 3>in
  until grep -q 'part 1' out; do sleep 0.1; done
  crfs status --json >status.json
  pause running
  echo >&3
  wait $! || echo "code $?"
`;

/** Whether it has read all, right. */
export function hasReadAll(machine: Machine, file = 'out'): boolean {
  return readFileSync(join(machine.root, 'user', file)).equals(Buffer.concat([Buffer.from('part 1\n'), UNREAD]));
}

/** What podman uses out of stores, as the cache has it noted. */
export function references(machine: Machine): string[] {
  return readdirSync(join(machine.root, 'cache/crfs-plugin/v4/references'));
}
