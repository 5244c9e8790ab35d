// SPDX-License-Identifier: GPL-3.0-or-later

/** A network and a registry that fail under a mount: right bytes or an error in time, and right bytes once they are well. */

import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type Known, knownLayer, readAll } from '../faults/world.js';
import { LOGIN } from '../registry/setting.js';
import { noise } from '../tools/content.js';
import { type Fault, type FaultProxy, type Seen, startFaultProxy } from '../tools/fault-proxy.js';
import { Gate } from '../tools/gate.js';
import { imageOf } from '../tools/image.js';
import { anyDriver, eachDriver, Machine, type Mount, until, whyNoMounts } from '../tools/machine.js';
import { missing, type Registry, startRegistry } from '../tools/registry.js';
import { makeCertificates } from '../tools/registry-certs.js';
import { pushImage } from '../tools/registry-image.js';
import { startTokenServer, type TokenServer } from '../tools/registry-tokens.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';

const mounting = eachDriver(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));
const shared = anyDriver(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

/** A file in a layer of its own: nothing that is fetched for another file brings it along. */
const ALONE = 'alone';

interface World {
  readonly machine: Machine;
  readonly registry: Registry;
  readonly proxy: FaultProxy;
  readonly known: Known;
  readonly image: string;
  readonly mount: Mount;
}

/** Known files, and one of a layer above, mounted from a registry behind the proxy: what was fetched is too little for any large one. */
async function world(t: ExecutionContext, settings: Record<string, string> = {}, tokens?: TokenServer): Promise<World> {
  const machine = new Machine({ CRFS_BACKGROUND: 'off', CRFS_READAHEAD: '0', ...settings });
  t.teardown(() => machine.dispose());
  const root = machine.directory('registry');
  const registry = await startRegistry({ root, ...(tokens && { auth: tokens.auth }) });
  t.teardown(() => registry.stop());
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(() => proxy.close());
  const { layer, digests } = await knownLayer(machine, { small: 20, large: 4 });
  const content = noise(3_000_000);
  writeTar(join(machine.root, 'alone.tar'), [{ name: ALONE, content }]);
  const known = { layer, digests: new Map([...digests, [ALONE, digestOf(content)]]) };
  const image = await imageOf(['known.tar', 'alone.tar'].map((name) => join(machine.root, name)));
  await pushImage(image, `${registry.host}/known:1`, { login: tokens !== undefined });
  mkdirSync(join(machine.root, 'run/containers'));
  const auths = { [proxy.host]: { auth: LOGIN } };
  writeFileSync(join(machine.root, 'run/containers/auth.json'), JSON.stringify({ auths }));
  const name = `docker://${proxy.host}/known:1`;
  const mount = await machine.mount([name]);
  proxy.reset();
  return { machine, registry, proxy, known, image: name, mount };
}

function digestOf(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Meets requests for bytes of the layer with faults; the others pass. */
function blobFault(fault: (seen: Seen) => Fault | undefined): (seen: Seen) => Fault | undefined {
  return (seen) => (seen.path.includes('/blobs/') ? fault(seen) : undefined);
}

function busy(seconds: number): Fault {
  return { kind: 'status', status: 429, headers: { 'retry-after': `${seconds}` } };
}

async function read({ mount, known }: World, path: string): Promise<boolean> {
  const content = await readFile(join(mount.merged, path));
  return known.digests.get(path) === digestOf(content);
}

/** Everything reads, with the right bytes, by several readers. */
async function reads(t: ExecutionContext, { mount, known }: World): Promise<void> {
  t.deepEqual(await readAll(mount.merged, known, 4), { failed: [], wrong: [] });
}

mounting(
  'a transfer that stalls ends with an error in time; what is there reads meanwhile, and all once it goes on',
  async (t) => {
    const patient = await world(t);
    patient.machine.env['CRFS_TIMEOUT'] = '5'; // of the next mount: a daemon that has to start may take longer
    const all = { ...patient, mount: await patient.machine.mount([patient.image]) };
    await until('a file is there', () => read(all, 'large-0').catch(() => false));
    const gate = new Gate();
    all.proxy.fault = blobFault(() => ({ kind: 'hold', gate, after: 1000 }));
    await t.throwsAsync(read(all, ALONE), { code: 'ETIMEDOUT' });
    t.true(await read(all, 'large-0'));
    gate.open();
    await until('the other file reads', () => read(all, ALONE).catch(() => false));
    await reads(t, all);
  },
);

shared('an answer of another range is EIO, and never its bytes', async (t) => {
  const all = await world(t);
  all.proxy.fault = blobFault(() => ({ kind: 'headers', headers: { 'content-range': 'bytes 7-1000006/9000000' } }));
  await t.throwsAsync(read(all, 'large-1'), { code: 'EIO' });
  all.proxy.fault = () => undefined;
  await reads(t, all);
});

shared('a server that sends everything, whatever range it is asked for, is read', async (t) => {
  const all = await world(t);
  all.proxy.fault = blobFault(() => ({ kind: 'whole' }));
  await reads(t, all);
});

shared('URLs behind a redirect that expire are asked for anew', async (t) => {
  const all = await world(t);
  const gate = new Gate();
  all.proxy.fault = blobFault(() => ({ kind: 'redirect' }));
  all.proxy.storeFault = () => ({ kind: 'reset', after: 500_000, gate });
  const reading = read(all, ALONE);
  await until('some of the file has come from the store', () => gate.arrivals > 0);
  const asked = all.proxy.seen.length;
  all.proxy.expire();
  all.proxy.storeFault = ({ number }) => {
    if (number % 2 === 0) all.proxy.expire(); // each one, after it has answered once
    return undefined;
  };
  gate.open();
  t.true(await reading);
  t.true(all.proxy.seen.length > asked);
  await reads(t, all);
});

shared('a registry that asks for patience gets as much as an open may take', async (t) => {
  const all = await world(t);
  let refused = 0;
  all.proxy.fault = blobFault(() => (refused++ < 2 ? busy(1) : undefined));
  t.true(await read(all, 'large-0'));
  t.true(refused > 2);
  all.proxy.fault = blobFault(() => busy(3600));
  await t.throwsAsync(read(all, ALONE), { code: 'EIO' });
  all.proxy.fault = () => undefined;
  await reads(t, all);
});

shared('a token that ends in the middle of a file is replaced', async (t) => {
  const certificates = await makeCertificates();
  t.teardown(() => certificates.remove());
  const tokens = await startTokenServer(certificates.ca);
  t.teardown(() => tokens.close());
  const all = await world(t, {}, tokens);
  const gate = new Gate();
  all.proxy.fault = blobFault(({ headers }) =>
    headers.authorization === undefined ? undefined : { kind: 'reset', after: 500_000, gate },
  );
  // by a process of its own: this one is to start others, and each of them would wait for what serves the file to close it
  const reading = run('sha256sum', [join(all.mount.merged, ALONE)]);
  await until('some of the file has come', () => gate.arrivals > 0);
  const others = await makeCertificates();
  t.teardown(() => others.remove());
  await tokens.sign(others.ca);
  const strict = await startRegistry({ root: all.registry.root, auth: tokens.auth });
  t.teardown(() => strict.stop());
  all.proxy.upstream = strict.url;
  all.proxy.fault = () => undefined;
  const bought = tokens.seen.length;
  gate.open();
  t.true(String(await reading).startsWith(`${all.known.digests.get(ALONE)} `));
  t.true(tokens.seen.length > bought);
  await reads(t, all);
});

mounting('a registry that is killed means EIO for what is not there yet; once it is back, all reads', async (t) => {
  const all = await world(t);
  t.true(await read(all, 'large-0'));
  await all.registry.stop();
  await t.throwsAsync(read(all, ALONE), { code: 'EIO' });
  t.true(await read(all, 'large-0'));
  const back = await startRegistry({ root: all.registry.root });
  t.teardown(() => back.stop());
  all.proxy.upstream = back.url;
  await reads(t, all);
});
