// SPDX-License-Identifier: GPL-3.0-or-later

/** A network and a registry that fail under a mount: right bytes or an error in time, and right bytes once they are well. */

import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type Known, knownLayer, readAll } from '../faults/world.js';
import { LOGIN } from '../registry/setting.js';
import { type Fault, type FaultProxy, type Seen, startFaultProxy } from '../tools/fault-proxy.js';
import { imageOf } from '../tools/image.js';
import { Machine, type Mount, mountingTest, until, whyNoMounts } from '../tools/machine.js';
import { missing, type Registry, startRegistry } from '../tools/registry.js';
import { makeCertificates } from '../tools/registry-certs.js';
import { pushImage } from '../tools/registry-image.js';
import { startTokenServer, type TokenServer } from '../tools/registry-tokens.js';

const mounting = mountingTest(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

/** Seconds until a registry refuses a token, though its holder was told otherwise. */
const TOKEN_LIFE = 3;

interface World {
  readonly machine: Machine;
  readonly registry: Registry;
  readonly proxy: FaultProxy;
  readonly known: Known;
  readonly mount: Mount;
}

/** Known files mounted from a registry behind the proxy, of which nothing but the TOC has been fetched. */
async function world(t: ExecutionContext, settings: Record<string, string> = {}, tokens?: TokenServer): Promise<World> {
  const machine = new Machine({ CRFS_BACKGROUND: 'off', CRFS_READAHEAD: '0', ...settings });
  t.teardown(() => machine.dispose());
  const root = machine.directory('registry');
  const registry = await startRegistry({ root, ...(tokens && { auth: tokens.auth }) });
  t.teardown(() => registry.stop());
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(() => proxy.close());
  const known = await knownLayer(machine, { small: 20, large: 4 });
  const image = await imageOf([join(machine.root, 'known.tar')]);
  await pushImage(image, `${registry.host}/known:1`, { login: tokens !== undefined });
  mkdirSync(join(machine.root, 'run/containers'));
  const auths = { [proxy.host]: { auth: LOGIN } };
  writeFileSync(join(machine.root, 'run/containers/auth.json'), JSON.stringify({ auths }));
  if (tokens) tokens.life = TOKEN_LIFE;
  const mount = await machine.mount([`docker://${proxy.host}/known:1`]);
  proxy.reset();
  proxy.link = { rate: 2_000_000 }; // so slow that a fetch for one large file does not bring the next one too
  return { machine, registry, proxy, known, mount };
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
  return known.digests.get(path) === createHash('sha256').update(content).digest('hex');
}

/** Everything reads, with the right bytes, by several readers. */
async function reads(t: ExecutionContext, { mount, known, proxy }: World): Promise<void> {
  proxy.link = {};
  t.deepEqual(await readAll(mount.merged, known, 4), { failed: [], wrong: [] });
}

mounting(
  'a transfer that stalls ends with an error in time; what is there reads meanwhile, and all once it goes on',
  async (t) => {
    const all = await world(t, { CRFS_TIMEOUT: '5' });
    t.true(await read(all, 'large-0'));
    all.proxy.fault = blobFault(() => ({ kind: 'stall', after: 1000 }));
    await t.throwsAsync(read(all, 'large-3'), { code: 'ETIMEDOUT' });
    t.true(await read(all, 'large-0'));
    all.proxy.fault = () => undefined;
    all.proxy.release();
    await until('the file reads', () => read(all, 'large-3').catch(() => false));
    await reads(t, all);
  },
);

mounting('an answer of another range is EIO, and never its bytes', async (t) => {
  const all = await world(t);
  all.proxy.fault = blobFault(() => ({ kind: 'headers', headers: { 'content-range': 'bytes 7-1000006/9000000' } }));
  await t.throwsAsync(read(all, 'large-1'), { code: 'EIO' });
  all.proxy.fault = () => undefined;
  await reads(t, all);
});

mounting('a server that sends everything, whatever range it is asked for, is read', async (t) => {
  const all = await world(t);
  all.proxy.fault = blobFault(() => ({ kind: 'whole' }));
  await reads(t, all);
});

mounting('URLs behind a redirect that expire are asked for anew', async (t) => {
  const all = await world(t);
  all.proxy.fault = blobFault(() => ({ kind: 'redirect' }));
  t.true(await read(all, 'large-0'));
  all.proxy.expire();
  t.true(await read(all, 'large-3'));
  all.proxy.storeFault = ({ number }) => {
    if (number % 2 === 0) all.proxy.expire(); // each one, after it has answered once
    return undefined;
  };
  await reads(t, all);
});

mounting('a registry that asks for patience gets as much as an open may take', async (t) => {
  const all = await world(t);
  let refused = 0;
  all.proxy.fault = blobFault(() => (refused++ < 2 ? busy(1) : undefined));
  t.true(await read(all, 'large-0'));
  t.true(refused > 2);
  all.proxy.fault = blobFault(() => busy(3600));
  await t.throwsAsync(read(all, 'large-3'), { code: 'EIO' });
  all.proxy.fault = () => undefined;
  await reads(t, all);
});

mounting('a token that ends in the middle of a file is replaced', async (t) => {
  const certificates = await makeCertificates();
  t.teardown(() => certificates.remove());
  const tokens = await startTokenServer(certificates.ca);
  t.teardown(() => tokens.close());
  const all = await world(t, {}, tokens);
  let broken = false;
  all.proxy.link = { rate: 400_000 };
  all.proxy.fault = blobFault(({ headers }) => {
    if (broken || headers.authorization === undefined) return undefined;
    broken = true;
    return { kind: 'reset', after: 400_000 * (TOKEN_LIFE + 0.5) };
  });
  const bought = tokens.seen.length;
  t.true(await read(all, 'large-3'));
  t.true(broken);
  t.true(tokens.seen.length > bought);
  await reads(t, all);
});

mounting('a registry that is killed means EIO for what is not there yet; once it is back, all reads', async (t) => {
  const all = await world(t);
  t.true(await read(all, 'large-0'));
  await all.registry.stop();
  await t.throwsAsync(read(all, 'large-3'), { code: 'EIO' });
  t.true(await read(all, 'large-0'));
  const back = await startRegistry({ root: all.registry.root, port: all.registry.port });
  t.teardown(() => back.stop());
  await reads(t, all);
});
