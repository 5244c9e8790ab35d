// SPDX-License-Identifier: GPL-3.0-or-later

/** A person at a terminal is told what a command waits for: of each wait, held up until that was told. */

import { once } from 'node:events';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { noise } from '../tools/content.js';
import { type FaultProxy, type Seen, startFaultProxy } from '../tools/fault-proxy.js';
import { Gate } from '../tools/gate.js';
import { mountingTest, until, whyNoMounts } from '../tools/machine.js';
import { missing } from '../tools/registry.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { imageOf, makeMachine, startOnTerminal, registryTest as test } from './setting.js';

const mounting = mountingTest(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

interface Image {
  readonly proxy: FaultProxy;
  readonly name: string;
  /** How the paths of its parts end. */
  readonly manifest: string;
  readonly config: string;
  readonly layer: string;
}

async function imageBehindProxy(t: ExecutionContext, tar: string): Promise<Image> {
  writeTar(tar, [{ name: 'noise', content: noise(3_000_000) }]);
  const { name: direct, image } = await imageOf(t, [tar]);
  const [host = '', path = ''] = direct.split(/\/(.*)/);
  const proxy = await startFaultProxy({ upstream: `http://${host}` });
  t.teardown(() => proxy.close());
  const { config, layers } = image;
  return {
    proxy,
    name: `${proxy.host}/${path}`,
    manifest: '/manifests/1',
    config: config.digest,
    layer: layers[0]?.digest ?? '',
  };
}

interface Wait {
  readonly args: (name: string) => readonly string[];
  /** The requests that are held up. */
  readonly held: (seen: Seen, image: Image) => boolean;
  readonly told: (name: string) => string;
}

const manifest: Wait['held'] = ({ path }, image) => path.endsWith(image.manifest);
const config: Wait['held'] = ({ path }, image) => path.endsWith(image.config);
const layer: Wait['held'] = ({ path }, image) => path.endsWith(image.layer);
/** What is not behind the files, where the TOC is. */
const content: Wait['held'] = (seen, image) => layer(seen, image) && /^bytes=\d{1,6}-/.test(seen.headers.range ?? '');
const looking = (name: string): string => `crfs: still looking for ${name}`;

const WAITS: Readonly<Record<string, Wait>> = {
  'lowerdir for a manifest': {
    args: (name) => ['lowerdir', '--platform', 'linux/amd64', name, '/'],
    held: manifest,
    told: looking,
  },
  'ls for a manifest': { args: (name) => ['ls', name], held: manifest, told: looking },
  'ls for TOCs': {
    args: (name) => ['ls', name],
    held: layer,
    told: (name) => `crfs: still opening the layers of ${name}`,
  },
  'stat for a manifest': { args: (name) => ['stat', name, '/noise'], held: manifest, told: looking },
  'stat for the TOC of one layer': {
    args: (name) => ['stat', '--layer', '1', name, '/noise'],
    held: layer,
    told: (name) => `crfs: still opening the layers of layer 1 of ${name}`,
  },
  'cat for a manifest': { args: (name) => ['cat', name, '/noise'], held: manifest, told: looking },
  'cat for content': {
    args: (name) => ['cat', name, '/noise'],
    held: content,
    told: () => 'crfs: still fetching /noise',
  },
  'verify for a manifest': {
    args: (name) => ['verify', name],
    held: manifest,
    told: (name) => `still looking for ${name}`,
  },
  'verify for a config': {
    args: (name) => ['verify', name],
    held: config,
    told: (name) => `still reading the config of docker://${name.replace(/:1$/, '@')}`,
  },
  'verify for a layer': {
    args: (name) => ['verify', name],
    held: layer,
    told: () => 'fetching [---',
  },
  'stargzify for a manifest': {
    args: (name) => ['stargzify', name, 'oci:layout'],
    held: manifest,
    told: (name) => `still looking for ${name}`,
  },
  'stargzify for a config': {
    args: (name) => ['stargzify', name, 'oci:layout'],
    held: config,
    told: (name) => `still reading the config of docker://${name}`,
  },
  'stargzify for a layer': {
    args: (name) => ['stargzify', name, 'oci:layout'],
    held: layer,
    told: () => 'converting [---',
  },
  'stargzify for a registry that is to publish': {
    args: (name) => ['stargzify', name, name.replace(/1$/, '2')],
    held: ({ method, path }) => method === 'PUT' && path.endsWith('/manifests/2'),
    told: (name) => `still publishing docker://${name.replace(/1$/, '2')}`,
  },
};

async function isTold(t: ExecutionContext, { args, held, told }: Wait): Promise<void> {
  const machine = makeMachine(t);
  const merged = machine.directory('merged');
  t.teardown(() => run('umount', ['-q', merged]).catch(() => undefined));
  const image = await imageBehindProxy(t, join(machine.directory('tars'), 'noise.tar'));
  const gate = new Gate();
  t.teardown(() => gate.open());
  image.proxy.fault = (seen) => (held(seen, image) ? { kind: 'hold', gate } : undefined);
  const child = startOnTerminal(machine, args(image.name), { columns: 160 });
  let screen = '';
  child.stdout.on('data', (bytes) => {
    screen += String(bytes);
  });
  const ended = once(child, 'close') as Promise<[number | null]>;
  await until(`the terminal shows "${told(image.name)}"`, () => screen.includes(told(image.name)));
  await until('what it waits for is held up', () => gate.arrivals > 0);
  gate.open();
  t.is((await ended)[0], 0);
}

for (const [what, wait] of Object.entries(WAITS)) {
  test(`who waits in ${what} is told so`, isTold, wait);
}

for (const [what, options, held, told] of [
  ['a manifest', [], manifest, (name: string) => `crfs: still mounting docker://${name}`],
  ['TOCs', [], layer, (name: string) => `crfs: still mounting docker://${name}`],
  ['the manifest of a platform', ['--platform', 'linux/amd64'], manifest, looking],
] as const) {
  mounting(`who waits in mount for ${what} is told so`, isTold, {
    args: (name: string) => ['mount', ...options, name, 'merged'],
    held,
    told,
  });
}
