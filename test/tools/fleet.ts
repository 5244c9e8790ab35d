// SPDX-License-Identifier: GPL-3.0-or-later

/** Machines that start one image of a registry through a cache of docs/fleets.md. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import pLimit from 'p-limit';
import { LOGIN } from '../registry/setting.js';
import { sameBytes } from './bytes.js';
import { noise } from './content.js';
import { type FaultProxy, type Seen, startFaultProxy } from './fault-proxy.js';
import { imageOf } from './image.js';
import { byDriver, Machine, mountingTest, whyNoMounts } from './machine.js';
import { type Nginx, noNginx, startNginx } from './nginx.js';
import { recipe } from './recipes.js';
import { missing, type Registry, type RegistryOptions, startRegistry } from './registry.js';
import { type Blob, pushImage } from './registry-image.js';
import { writeTar } from './tar-writer.js';

const mounting = mountingTest(whyNoMounts() ?? missing[0] ?? noNginx);

export const MIB = 1 << 20;
/** Each of chunks of a mebibyte: what is read of them is fetched, and nothing around it. */
export const files = new Map(['a', 'b', 'c', 'd', 'e', 'f'].map((name, seed) => [name, noise(3 * MIB, seed)]));
/** What a start reads of them. */
const READ = ['e', 'b'];
/** So many machines start at a time. */
const AT_ONCE = 4;

export interface World {
  readonly t: ExecutionContext;
  readonly registry: Registry;
  /** The registry, as everybody sees it. */
  readonly origin: FaultProxy;
  /** Its name, there. */
  readonly image: string;
  readonly layer: Blob;
  readonly config: Blob;
}

export function fleet(
  title: string,
  implementation: (world: World) => Promise<void>,
  options: RegistryOptions = {},
): void {
  const inWorld = async (t: ExecutionContext): Promise<void> => await implementation(await makeWorld(t, options));
  mounting(title, byDriver('overlay', inWorld));
}

async function makeWorld(t: ExecutionContext, options: RegistryOptions = {}): Promise<World> {
  const registry = await startRegistry(options);
  t.teardown(() => registry.stop());
  const origin = await startFaultProxy({ upstream: registry.url });
  t.teardown(() => origin.close());
  const place = new Machine();
  t.teardown(() => place.dispose());
  const tar = join(place.root, 'layer.tar');
  writeTar(
    tar,
    [...files].map(([name, content]) => ({ name, content })),
  );
  const image = await imageOf([tar], { chunkSize: MIB });
  await pushImage(image, `${registry.host}/app:1`, { login: options.auth === 'basic' });
  const [layer] = image.layers;
  if (layer === undefined) throw new Error('the image has no layer');
  return { t, registry, origin, image: `docker://${origin.host}/app:1`, layer, config: image.config };
}

export async function nginxBehind({ t }: World, registry: string): Promise<Nginx> {
  const nginx = await startNginx(registry);
  t.teardown(() => nginx.stop());
  return nginx;
}

export async function pullThrough({ t, origin }: World): Promise<Registry> {
  const cache = await startRegistry({
    configuration: (root) =>
      recipe('yaml', {
        '/var/lib/docker-registry': root,
        'addr: :5000': 'addr: 127.0.0.1:0',
        'https://registry.example.com': origin.url,
      }),
  });
  t.teardown(() => cache.stop());
  return cache;
}

/** A machine that asks a cache before the registry. */
export function machineWith(cache: string, { t, origin }: World): Machine {
  const machine = new Machine({ CRFS_BACKGROUND: 'off', CRFS_READAHEAD: '0' });
  t.teardown(() => machine.dispose());
  const conf = join(machine.root, 'config/containers/registries.conf');
  mkdirSync(dirname(conf));
  writeFileSync(conf, recipe('toml', { 'registry.example.com': origin.host, 'cache.example.com:5000': cache }));
  return machine;
}

/** What `podman login` leaves behind. */
export function logIn(machine: Machine, host: string): void {
  const directory = machine.directory('run/containers');
  writeFileSync(join(directory, 'auth.json'), JSON.stringify({ auths: { [host]: { auth: LOGIN } } }));
}

/** What a machine does from its first mount to the end of its daemon. */
export async function start(cache: string, world: World): Promise<void> {
  const machine = machineWith(cache, world);
  const mount = await machine.mount([world.image]);
  for (const name of READ) sameBytes(world.t, await readFile(join(mount.merged, name)), files.get(name));
  await mount.unmount();
  await machine.dispose();
}

export async function startMany(count: number, cache: string, world: World): Promise<void> {
  const some = pLimit(AT_ONCE);
  await Promise.all(Array.from({ length: count }, () => some(() => start(cache, world))));
}

export function blobRequests({ seen }: { readonly seen: readonly Seen[] }): Seen[] {
  return seen.filter(({ path }) => path.includes('/blobs/'));
}
