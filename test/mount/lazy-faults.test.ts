// SPDX-License-Identifier: GPL-3.0-or-later

/** What goes wrong while a file is read chunk by chunk: right bytes, or an error in time, and right bytes afterwards. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Status } from '../../src/main/daemon/status.js';
import { BLOCK } from '../../src/main/fetch/blocks.js';
import { serverOf } from '../faults/mounts.js';
import { dropDrafts, gone, times } from '../faults/world.js';
import { noise } from '../tools/content.js';
import { bytesBefore, type Fault, type Seen } from '../tools/fault-proxy.js';
import { Gate } from '../tools/gate.js';
import { anyDriver, crfs, eachDriver, until, whyNoMounts } from '../tools/machine.js';
import { missing as lacking, startRegistry } from '../tools/registry.js';
import { draftsOf, MIB, onlyThese, type RemoteLayer, remoteLayer, THREADED } from '../tools/remote-layer.js';
import { run } from '../tools/run.js';

const mounting = eachDriver(whyNoMounts() ?? (lacking.length > 0 ? `no ${lacking.join(', no ')}` : undefined));
const shared = anyDriver(whyNoMounts() ?? (lacking.length > 0 ? `no ${lacking.join(', no ')}` : undefined));

/** The network has the blob up to this byte, and no further. */
function upTo(position: number, gate: Gate): (seen: Seen) => Fault | undefined {
  return (seen) =>
    seen.path.includes('/blobs/') ? { kind: 'hold', gate, after: bytesBefore(position, seen) } : undefined;
}

async function statusOf({ machine }: RemoteLayer): Promise<Status> {
  const status = await machine.status();
  if (status === null) throw new Error('no daemon runs');
  return status;
}

const fetchedBy = ({ layers }: Status): number => layers[0]?.fetched?.bytes ?? 0;

shared('daemons that are killed in the middle of a file have nothing fetched or inflated twice', async (t) => {
  const kills = times(5, 200);
  const large = noise(16 * MIB + 1000);
  const layer = await remoteLayer(t, { large });
  const { proxy, mount, chunks, span } = layer;
  const spans = chunks('large');
  const { from } = span('large');
  const mounted = fetchedBy(await statusOf(layer));
  const missing = layer.blob.length - mounted; // what is at its end came when it was mounted
  const gates: Gate[] = [];
  t.teardown(() => {
    for (const gate of gates) gate.open();
  });
  const sizeOf = (chunk: number): number => Math.min(MIB, large.length - chunk * MIB);
  const hold = (kill: number): number => {
    const position = from + BLOCK * Math.floor(((kill + 1) * (missing - from)) / (kills + 2) / BLOCK);
    const gate = new Gate();
    gates.push(gate);
    proxy.fault = upTo(position, gate);
    return position;
  };
  let position = hold(0);
  let [fetched, inflated] = [-mounted, 0];
  const reading = readFile(join(mount.merged, 'large'));
  for (let kill = 0; kill < kills; kill++) {
    const whole = spans.filter(({ end }) => end <= position).length;
    const expected = spans.slice(0, whole).reduce((sum, _, chunk) => sum + sizeOf(chunk), 0);
    await until('all that the network has is in the draft', async () => {
      const status = await layer.machine.status(); // null: the next daemon is just starting
      if (status === null || inflated + status.counters.inflatedBytes < expected) return false;
      return fetched + fetchedBy(status) >= position - from && (gates.at(-1)?.arrivals ?? 0) > 0;
    });
    const status = await statusOf(layer);
    fetched += fetchedBy(status);
    inflated += status.counters.inflatedBytes;
    t.is(fetched, position - from, `fetched before kill ${kill}`);
    t.is(inflated, expected, `inflated before kill ${kill}`);
    position = hold(kill + 1);
    process.kill(status.pid, 'SIGKILL');
    await gone(status.pid);
  }
  await until('the last daemon is asked', () => (gates.at(-1)?.arrivals ?? 0) > 0);
  proxy.fault = () => undefined;
  gates.at(-1)?.open();
  t.true((await reading).equals(large));
  const status = await statusOf(layer);
  t.is(inflated + status.counters.inflatedBytes, large.length);
  t.is(fetched + fetchedBy(status), missing - from);
});

shared(
  'a registry that goes away in the middle of a file is an error, and the rest reads when it is back',
  async (t) => {
    const large = noise(8 * MIB);
    const layer = await remoteLayer(t, { large });
    const { registry, proxy, mount, chunks } = layer;
    const path = join(mount.merged, 'large');
    const gate = new Gate();
    t.teardown(() => gate.open());
    const cut = (chunks('large')[3]?.from ?? 0) + BLOCK;
    proxy.fault = (seen) =>
      seen.path.includes('/blobs/') ? { kind: 'reset', after: bytesBefore(cut, seen), gate } : undefined;
    const reading = readFile(path);
    await until('the file is half there', () => {
      return gate.arrivals > 0 && draftsOf(layer, 8).some((there) => there[0] && there[1]);
    });
    await registry.stop();
    gate.open();
    await t.throwsAsync(reading, { code: 'EIO' });
    proxy.fault = () => undefined;
    const file = await open(path);
    t.teardown(() => file.close());
    const start = Buffer.alloc(2 * MIB);
    t.is((await file.read(start, 0, start.length, 0)).bytesRead, start.length);
    t.true(start.equals(large.subarray(0, start.length)), 'what has come reads');
    const back = await startRegistry({ root: registry.root });
    t.teardown(() => back.stop());
    proxy.upstream = back.url;
    const rest = Buffer.alloc(large.length);
    for (let at = 0; at < rest.length; ) at += (await file.read(rest, at, rest.length - at, at)).bytesRead;
    t.true(rest.equals(large), 'the same descriptor reads on');
    t.true((await readFile(path)).equals(large));
  },
);

const evictions: Readonly<Record<string, (layer: RemoteLayer) => Promise<unknown>>> = {
  'crfs cache clear': ({ machine }) => machine.crfs('cache', 'clear'),
  'crfs cache gc': ({ machine }) => run(crfs, ['cache', 'gc'], { env: { ...machine.env, CRFS_MAX_SIZE: '1' } }),
  'the removal of its draft': async ({ machine }) => dropDrafts(machine),
};

for (const [what, evict] of Object.entries(evictions)) {
  shared(`a file that is half there reads on after ${what}`, async (t) => {
    const large = noise(8 * MIB);
    const layer = await remoteLayer(t, { large });
    const { machine, mount } = layer;
    const file = await open(join(mount.merged, 'large'));
    t.teardown(() => file.close());
    const read = async (from: number, end: number): Promise<Buffer> => {
      const bytes = Buffer.alloc(end - from);
      for (let at = 0; at < bytes.length; ) at += (await file.read(bytes, at, bytes.length - at, from + at)).bytesRead;
      return bytes;
    };
    t.true((await read(5000, 3 * MIB)).equals(large.subarray(5000, 3 * MIB)));
    t.is(draftsOf(layer, 8).length, 1);
    await evict(layer);
    t.deepEqual(draftsOf(layer, 8), []);
    t.true((await read(2 * MIB, large.length)).equals(large.subarray(2 * MIB)));
    await evict(layer);
    t.true((await readFile(join(mount.merged, 'large'))).equals(large));
    t.like((await machine.status())?.opens, { errors: 0 });
  });
}

mounting('a server that is killed while readers wait takes nobody along, and leaves nothing behind', async (t) => {
  const large = noise(8 * MIB);
  const { machine, proxy, mount, image } = await remoteLayer(t, { large });
  const gate = new Gate();
  t.teardown(() => gate.open());
  proxy.fault = onlyThese(gate);
  const path = join(mount.merged, 'large');
  const readers = [0, 2, 4].map((skip) => {
    return run('dd', ['bs=1M', 'count=1', `skip=${skip}`, 'iflag=direct', 'of=/dev/null', `if=${path}`]);
  });
  const outcomes = Promise.allSettled(readers);
  await until('they wait', () => gate.arrivals >= readers.length);
  const server = await serverOf(machine, mount);
  process.kill(server, 'SIGKILL');
  await gone(server);
  for (const { status } of await outcomes) t.is(status, 'rejected');
  await until('the daemon has let go of it', async () => (await machine.status())?.mounts.length === 0);
  gate.open();
  const next = await machine.mount([image], { options: THREADED });
  t.true((await readFile(join(next.merged, 'large'))).equals(large));
});

mounting('a reader that is killed while it waits goes away, and so does the mount', async (t) => {
  const files = { large: noise(8 * MIB), other: noise(2 * MIB, 2) };
  const { machine, proxy, mount: first, image, span } = await remoteLayer(t, files);
  machine.env['CRFS_TIMEOUT'] = '10'; // of this mount: the daemon, which may need longer to start, is there
  const mount = await machine.mount([image], { options: THREADED });
  await first.unmount();
  const gate = new Gate();
  t.teardown(() => gate.open());
  proxy.fault = onlyThese(gate, span('other'));
  const reader = spawn('cat', [join(mount.merged, 'large')], { stdio: 'ignore' });
  await until('it waits', () => gate.arrivals > 0);
  reader.kill('SIGKILL');
  await once(reader, 'exit');
  t.true((await readFile(join(mount.merged, 'other'))).equals(files.other), 'the mount goes on');
  const server = await serverOf(machine, mount);
  await mount.unmount();
  await gone(server);
  await until('the daemon has let go of it', async () => (await machine.status())?.mounts.length === 0);
});
