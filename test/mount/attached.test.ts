// SPDX-License-Identifier: GPL-3.0-or-later

/** A first mount on a machine, of an image to which another one has attached what it has learned. */

import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { BLOCK } from '../../src/main/fetch/blocks.js';
import type { Profile } from '../../src/main/profile/profile.js';
import { pushProfile } from '../../src/main/profile/published.js';
import { RegistryClient } from '../../src/main/registry/client.js';
import { resolveImage } from '../../src/main/registry/image.js';
import { sameBytes } from '../tools/bytes.js';
import { noise } from '../tools/content.js';
import type { Fault, Seen } from '../tools/fault-proxy.js';
import { Gate } from '../tools/gate.js';
import { anyDriver, type Machine, until, whyNoMounts } from '../tools/machine.js';
import { missing } from '../tools/registry.js';
import { blobOf } from '../tools/registry-image.js';
import { MIB, onlyThese, type RemoteLayer, remoteLayer } from '../tools/remote-layer.js';
import { learn, shown, startOf, WATCHED } from '../tools/started.js';

const shared = anyDriver(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

const FILES = { one: noise(200_000, 1), unread: noise(3 * MIB, 2), large: noise(8 * MIB, 3) };

interface Attached extends RemoteLayer {
  /** What is attached to the image. */
  readonly profile: Profile;
  /** The tag of what is attached to it. */
  readonly tag: string;
}

/** An image with what one machine has learned of it, of which this one knows nothing. */
async function attachedTo(t: ExecutionContext): Promise<Attached> {
  const settings = { CRFS_LOG_LEVEL: 'debug' };
  const layer = await remoteLayer(t, FILES, { ...WATCHED, settings });
  await learn(layer, 'one', 'large');
  const profile = await shown(layer.machine, layer.image);
  await layer.machine.crfs('profile', 'push', layer.image);
  await layer.machine.crfs('profile', 'rm', layer.image);
  layer.proxy.reset();
  return { ...layer, profile, tag: profile.image.replace(':', '-') };
}

async function isKept(machine: Machine, { image }: Profile): Promise<boolean> {
  return await shown(machine, image).then(
    () => true,
    () => false,
  );
}

/** Lets nothing more of the layer through, and reads it. */
async function requireRead(t: ExecutionContext, { proxy }: Attached, merged: string): Promise<void> {
  proxy.fault = ({ path }) => (path.includes('/blobs/') ? { kind: 'status', status: 404 } : undefined);
  for (const file of ['one', 'large'] as const) sameBytes(t, await readFile(join(merged, file)), FILES[file]);
}

const json = (body: unknown): Fault => ({
  kind: 'status',
  status: 200,
  headers: { 'content-type': 'application/vnd.oci.image.index.v1+json' },
  body: JSON.stringify(body),
});

for (const way of ['an index with a tag names it', 'the registry lists it'] as const) {
  shared(`what is attached is found while the layers are opened, and fetched by: ${way}`, async (t) => {
    const attached = await attachedTo(t);
    const { machine, proxy, registry, image, blob, profile, tag } = attached;
    const accept = 'application/vnd.oci.image.index.v1+json';
    const index = await (await fetch(`${registry.url}/v2/layer/manifests/${tag}`, { headers: { accept } })).json();
    const layers = new Gate();
    t.teardown(() => layers.open());
    proxy.fault = ({ path }) => {
      if (path.endsWith(blobOf('', blob).digest)) return { kind: 'hold', gate: layers };
      if (way === 'an index with a tag names it') return undefined;
      if (path.includes('/referrers/')) return json(index);
      return path.endsWith(tag) ? { kind: 'status', status: 404 } : undefined;
    };
    const mounting = machine.mount([image]);
    await until('the layer is asked for', () => layers.arrivals > 0);
    await until('what is attached is there before the layer', () => isKept(machine, profile));
    layers.open();
    const mount = await mounting;
    await until('all of it is there', async () => (await startOf(machine))?.order?.fetching === 'ended');
    await requireRead(t, attached, mount.merged);
    t.like((await startOf(machine))?.order, { files: 2 });
    const asked = proxy.seen.filter(({ path }) => /referrers|sha256-/.test(path));
    await machine.mount([image]);
    t.is(proxy.seen.filter(({ path }) => /referrers|sha256-/.test(path)).length, asked.length, 'it is known by now');
  });
}

shared(
  'what is attached is used, too, where it comes later than the layers; until then reads come alone',
  async (t) => {
    const attached = await attachedTo(t);
    const { machine, proxy, image, profile, blob } = attached;
    const [gate, others] = [new Gate(), new Gate()];
    t.teardown(() => {
      gate.open();
      others.open();
    });
    const guessed = onlyThese(others, attached.span('one'), { from: blob.length - MIB - BLOCK, end: blob.length });
    proxy.fault = (seen) => (seen.path.endsWith(attached.tag) ? { kind: 'hold', gate } : guessed(seen));
    const mount = await machine.mount([image]);
    await until('it is asked for', () => gate.arrivals === 1);
    t.is((await startOf(machine))?.order, null);
    sameBytes(t, await readFile(join(mount.merged, 'one')), FILES.one);
    t.is(others.arrivals, 0);
    others.open();
    gate.open();
    await until('it is there', () => isKept(machine, profile));
    await until('all of it is there', async () => (await startOf(machine))?.order?.fetching === 'ended');
    await requireRead(t, attached, mount.merged);
  },
);

const NO_PROFILE = 'no profile from its registry';

const isAttachment = ({ path }: Seen): boolean => /referrers|sha256-/.test(path);

shared(
  'a registry that says nothing, or nonsense, of what is attached holds up no mount, and costs one line',
  async (t) => {
    const attached = await attachedTo(t);
    const { machine, proxy, image, profile } = attached;
    const never = new Gate();
    t.teardown(() => never.open());
    const client = new RegistryClient({ spool: machine.root });
    t.teardown(() => client.close());
    const { reference, manifest } = await resolveImage(client, image);
    const answers: [string, (seen: Seen) => Fault | undefined][] = [
      ['no answer', (seen) => (isAttachment(seen) ? { kind: 'hold', gate: never } : undefined)],
      ['an end', (seen) => (isAttachment(seen) ? { kind: 'reset', after: 0 } : undefined)],
      ['an error', (seen) => (isAttachment(seen) ? { kind: 'status', status: 500 } : undefined)],
      ['no index', (seen) => (isAttachment(seen) ? json({ manifests: 'none' }) : undefined)],
      ['no profile of the image', () => undefined],
    ];
    const other = { ...profile, image: `sha256:${'0'.repeat(64)}`, recorded: new Date().toISOString() };
    await pushProfile(client, reference, manifest, other);
    const log = join(machine.root, 'state/crfs-plugin/daemon.log');
    for (const [what, fault] of answers) {
      writeFileSync(log, '');
      proxy.fault = fault;
      const mount = await machine.mount([image], WATCHED);
      sameBytes(t, await readFile(join(mount.merged, 'one')), FILES.one);
      if (what !== 'no answer') await until(`${what} is told`, () => machine.log.includes(NO_PROFILE));
      t.is((await startOf(machine))?.order, null, what);
      t.false(await isKept(machine, profile), what);
      await machine.stop();
      t.is(machine.log.split(NO_PROFILE).length - 1, 1, what); // where there is no answer, once it is not waited for any more
      t.notRegex(machine.log, /"level":"(warn|error)".*(attached|referrers|profile)/, what);
      await mount.unmount();
      await machine.crfs('cache', 'clear');
      await machine.crfs('profile', 'rm', image);
    }
  },
);
