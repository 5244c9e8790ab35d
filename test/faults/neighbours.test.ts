// SPDX-License-Identifier: GPL-3.0-or-later

/** Layers that lie, or whose source fails, beside honest ones that have the same file. */

import { createHash } from 'node:crypto';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { ExecutionContext } from 'ava';
import { sameBytes } from '../tools/bytes.js';
import { noise } from '../tools/content.js';
import { type FaultProxy, startFaultProxy } from '../tools/fault-proxy.js';
import type { Fault } from '../tools/fault-proxy-exchange.js';
import { Gate } from '../tools/gate.js';
import { pushTars } from '../tools/image.js';
import { makeLayer } from '../tools/layers.js';
import { startLyingRegistry } from '../tools/lying-registry.js';
import { Machine, mountingTest, until, whyNoMounts } from '../tools/machine.js';
import { startOrigin } from '../tools/origin.js';
import { missing, startRegistry } from '../tools/registry.js';
import { writeTar } from '../tools/tar-writer.js';
import { objectsOf } from './world.js';

const mounting = mountingTest();
const remote = mountingTest(whyNoMounts() ?? missing[0]);

const content = noise(200_000, 1);
const lie = noise(200_000, 2);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A layer of the file `libc`. */
async function layerOf(machine: Machine, name: string, libc: Buffer): Promise<string> {
  const tar = join(machine.directory('tars'), `${name}.tar`);
  writeTar(tar, [
    { name: 'first', content: noise(1000, name.length) },
    { name: 'libc', content: libc },
  ]);
  return await makeLayer(tar);
}

/** Replaces text in the TOC of a layer. */
function editToc(layer: string, edit: (toc: string) => string): void {
  const bytes = readFileSync(layer);
  const at = Number.parseInt(bytes.toString('latin1', bytes.length - 51 + 16, bytes.length - 51 + 32), 16);
  const toc = gunzipSync(bytes.subarray(at, bytes.length - 51)).toString('latin1');
  const edited = gzipSync(Buffer.from(edit(toc), 'latin1'));
  writeFileSync(layer, Buffer.concat([bytes.subarray(0, at), edited, bytes.subarray(-51)]));
}

async function outcome(path: string): Promise<string> {
  try {
    return (await readFile(path)).equals(content) ? 'right' : 'wrong';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

mounting('a layer that claims the digest of another one for other bytes fails none but its own opens', async (t) => {
  const gate = join('/tmp', `crfs-gate-${process.pid}`);
  const hook = new URL('../tools/inflate-gate.js', import.meta.url).href;
  const machine = new Machine({
    CRFS_READAHEAD: '0',
    CRFS_WORKERS: '2',
    NODE_OPTIONS: `--import ${hook}`,
    INFLATE_GATE: gate,
  });
  t.teardown(() => machine.dispose());
  const honest = await layerOf(machine, 'honest', content);
  const lying = await layerOf(machine, 'lying', lie);
  editToc(lying, (toc) => toc.replaceAll(sha256(lie), sha256(content)));
  const first = await machine.mount([lying]);
  const second = await machine.mount([honest]);
  t.teardown(() => rmSync(gate, { force: true }));
  writeFileSync(gate, '');
  const lied = outcome(join(first.merged, 'libc'));
  await until('the lie is being filled', () => statSync(`${gate}.arrivals`, { throwIfNoEntry: false })?.size === 1);
  const told = outcome(join(second.merged, 'libc'));
  await until('both are asked for', async () => ((await machine.status())?.counters.requests ?? 0) === 2);
  rmSync(gate);
  rmSync(`${gate}.arrivals`);
  t.deepEqual([await lied, await told], ['EIO', 'right']);
  t.is(await outcome(join(first.merged, 'libc')), 'right', 'by the honest one, whose content it claims to have');
});

mounting('no content passes for a file that is named by the digests of its chunks', async (t) => {
  const machine = new Machine({ CRFS_READAHEAD: '0' });
  t.teardown(() => machine.dispose());
  const halves = [noise(46, 3), noise(46, 4)];
  const victim = Buffer.concat(halves);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(46n);
  const spelled = halves.flatMap((half) => [size, createHash('sha256').update(half).digest()]);
  const forged = Buffer.concat([Buffer.from('crfs-chunks\0'), ...spelled]);
  t.is(forged.length, victim.length);
  const layerOfOne = async (name: string, file: Buffer, chunkSize: number): Promise<string> => {
    const tar = join(machine.directory('tars'), `${name}.tar`);
    writeTar(tar, [{ name: 'file', content: file }]);
    return await makeLayer(tar, { chunkSize });
  };
  const first = await layerOfOne('forged', forged, 92);
  const second = await layerOfOne('victim', victim, 46);
  const [forging, honest] = [await machine.mount([first]), await machine.mount([second])];
  sameBytes(t, await readFile(join(forging.merged, 'file')), forged);
  sameBytes(t, await readFile(join(honest.merged, 'file')), victim);
  const names = objectsOf(machine).map((path) => basename(path));
  t.deepEqual(names.sort(), [sha256(forged), `${sha256(forged)}-named`]);
  t.regex(await machine.crfs('cache', 'verify'), /; 0 were bad\.$/m);
});

interface Hosts {
  readonly machine: Machine;
  readonly failing: FaultProxy;
  readonly healthy: FaultProxy;
}

/** Two hosts that serve the same image. */
async function twoHosts(t: ExecutionContext): Promise<Hosts> {
  const machine = new Machine({ CRFS_READAHEAD: '0', CRFS_BACKGROUND: 'off', CRFS_TIMEOUT: '20' });
  t.teardown(() => machine.dispose());
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const tar = join(machine.directory('tars'), 'image.tar');
  writeTar(tar, [
    { name: 'first', content: noise(3_000_000, 9) },
    { name: 'libc', content },
    { name: 'last', content: noise(3_000_000, 8) },
  ]);
  await pushTars([tar], `${registry.host}/image:1`);
  await pushTars([tar], `${registry.host}/other:1`);
  const [failing, healthy] = [
    await startFaultProxy({ upstream: registry.url }),
    await startFaultProxy({ upstream: registry.url }),
  ];
  t.teardown(() => failing.close());
  t.teardown(() => healthy.close());
  return { machine, failing, healthy };
}

for (const [what, faultOf] of [
  ['refuses', (): Fault => ({ kind: 'status', status: 403 })],
  ['stalls', (gate: Gate): Fault => ({ kind: 'hold', gate, after: 0 })],
] as const) {
  remote(`a host that ${what} fails no mount of the same layer from another host`, async (t) => {
    const { machine, failing, healthy } = await twoHosts(t);
    const first = await machine.mount([`docker://${failing.host}/image:1`]);
    const gate = new Gate();
    t.teardown(() => gate.open());
    failing.fault = ({ path }) => (path.includes('/blobs/') ? faultOf(gate) : undefined);
    const second = await machine.mount([`docker://${healthy.host}/image:1`]);
    const failed = outcome(join(first.merged, 'libc'));
    await until('the failing host is asked', () => failing.seen.some(({ path }) => path.includes('/blobs/')));
    t.is(await outcome(join(second.merged, 'libc')), 'right');
    t.not(await failed, 'wrong');
  });
}

remote('a repository that refuses fails no mount of the same layer from another one', async (t) => {
  const { machine, healthy } = await twoHosts(t);
  const first = await machine.mount([`docker://${healthy.host}/image:1`]);
  healthy.fault = ({ path }) => (path.includes('/image/blobs/') ? { kind: 'status', status: 403 } : undefined);
  const second = await machine.mount([`docker://${healthy.host}/other:1`]);
  t.is(await outcome(join(first.merged, 'libc')), 'EIO');
  t.is(await outcome(join(second.merged, 'libc')), 'right');
  t.is(await outcome(join(first.merged, 'libc')), 'right', 'from the cache');
});

remote('a host that lies poisons nothing that is kept of the same digest from another host', async (t) => {
  const { machine, failing, healthy } = await twoHosts(t);
  const liar = await startLyingRegistry(failing.url);
  t.teardown(() => liar.close());
  const first = await machine.mount([`docker://${liar.host}/image:1`]);
  t.is(await outcome(join(first.merged, 'libc')), 'EIO');
  const second = await machine.mount([`docker://${healthy.host}/image:1`]);
  t.is(await outcome(join(second.merged, 'libc')), 'right');
  t.is(machine.log.split('fetching libc again: ').length, 2, 'the lie is doubted once, and the truth is not');
});

mounting('a URL that fails, and one that does not, of layers with the same file', async (t) => {
  const machine = new Machine({ CRFS_READAHEAD: '0', CRFS_BACKGROUND: 'off' });
  t.teardown(() => machine.dispose());
  const served = async (name: string): Promise<{ url: string; stop: () => Promise<void> }> => {
    const tar = join(machine.directory('tars'), `${name}.tar`);
    writeTar(tar, [
      { name: 'libc', content },
      { name: 'rest', content: noise(2_000_000, name.length) },
    ]);
    const origin = await startOrigin(readFileSync(await makeLayer(tar)));
    t.teardown(() => origin.close());
    const proxy = await startFaultProxy({ upstream: origin.url });
    t.teardown(() => proxy.close());
    return {
      url: `${proxy.url}/layer`,
      stop: async () => {
        proxy.fault = () => ({ kind: 'status', status: 404 });
      },
    };
  };
  const [failing, healthy] = [await served('failing'), await served('other')];
  const first = await machine.mount([failing.url]);
  const second = await machine.mount([healthy.url]);
  await failing.stop();
  t.is(await outcome(join(first.merged, 'libc')), 'EIO');
  t.is(await outcome(join(second.merged, 'libc')), 'right');
  t.is(await outcome(join(first.merged, 'libc')), 'right', 'from the cache');
});

mounting('a layer whose index takes too much memory is refused in one line, and all else goes on', async (t) => {
  const machine = new Machine({ CRFS_INDEX_MEMORY: '8M' });
  t.teardown(() => machine.dispose());
  const tar = join(machine.directory('tars'), 'greedy.tar');
  writeTar(
    tar,
    Array.from({ length: 60_000 }, (_, n) => ({ name: `${n}/`, type: '5' })),
  );
  const greedy = await makeLayer(tar);
  const { merged } = await machine.mount([await layerOf(machine, 'honest', content)]);
  const daemon = (await machine.status())?.pid;
  for (let round = 1; round <= 2; round++) {
    const refused = await t.throwsAsync(machine.mount([greedy]));
    const line = `crfs: ${greedy}: its index takes more than 8388608 bytes of memory to make: see index-memory`;
    t.is(
      refused?.message.split('\n').find((said) => said.startsWith('crfs: ')),
      line,
    );
  }
  t.is(await outcome(join(merged, 'libc')), 'right');
  t.is((await machine.status())?.pid, daemon);
  const error = await t.throwsAsync(machine.crfs('ls', greedy));
  t.regex(error?.message ?? '', /: see index-memory$/m);
});
