// SPDX-License-Identifier: GPL-3.0-or-later

/** A store of layers on a machine of its own, and an image for it in a registry behind a proxy. */

import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type FaultProxy, startFaultProxy } from './fault-proxy.js';
import { pushTars } from './image.js';
import { Machine } from './machine.js';
import { type Registry, startRegistry } from './registry.js';
import type { TestImage } from './registry-image.js';
import { run } from './run.js';
import { type TarEntry, writeTar } from './tar-writer.js';

const time = 1_500_000_000;
const directory = (name: string, mode = 0o755): TarEntry => ({ name, type: '5', mode, mtime: time });
const file = (name: string, content: string): TarEntry => ({ name, mtime: time, content });

/** The layers of the image, the base first. */
const LAYERS: readonly (readonly TarEntry[])[] = [
  [
    directory('etc/'),
    file('etc/kept', 'of the base\n'),
    file('etc/gone', 'of the base\n'),
    directory('opaque/'),
    file('opaque/old', 'of the base\n'),
    { name: 'link', type: '2', mode: 0o777, mtime: time, linkname: 'etc/kept' },
  ],
  [
    directory('etc/', 0o711),
    { name: 'etc/.wh.gone', mtime: time },
    { name: 'etc/owned', mtime: time, uid: 7, gid: 8, mode: 0o640, content: 'of the layer above\n' },
    directory('opaque/'),
    { name: 'opaque/.wh..wh..opq', mtime: time },
    file('opaque/new', 'of the layer above\n'),
  ],
];

export interface StoreSetting {
  readonly machine: Machine;
  readonly registry: Registry;
  readonly proxy: FaultProxy;
  readonly image: TestImage;
  /** As podman asks for it. */
  readonly reference: string;
  /** The tars of its layers. */
  readonly tars: readonly string[];
  readonly store: string;
  /** Mounts the store once more. */
  mountStore(): Promise<void>;
}

/** Pushes the image, and mounts a store with these arguments; without any, it waits for as long as it takes. */
export async function storeSetting(t: ExecutionContext, ...args: string[]): Promise<StoreSetting> {
  const machine = new Machine({ CRFS_BACKGROUND: 'off' });
  t.teardown(() => machine.dispose());
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(() => proxy.close());
  const tars = LAYERS.map((entries, n) => {
    const path = join(machine.directory('tars'), `${n}.tar`);
    writeTar(path, entries);
    return path;
  });
  const image = await pushTars(tars, `${registry.host}/img:1`);
  const store = machine.directory('store');
  const how = args.length > 0 ? args : ['--patience', '60m']; // the slowest machine has that
  const mountStore = async (): Promise<void> => {
    await machine.crfs('store', store, ...how);
  };
  await mountStore();
  t.teardown(() => run('umount', ['-l', store]).catch(() => undefined));
  return { machine, registry, proxy, image, reference: `${proxy.host}/img:1`, tars, store, mountStore };
}
