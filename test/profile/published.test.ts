// SPDX-License-Identifier: GPL-3.0-or-later

/** Profiles in registries: in Debian's, which lists no referrers, and behind a server that does. */

import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import test, { type ExecutionContext } from 'ava';
import { pushIndexes } from '../../src/main/attached/push-indexes.js';
import { CacheLayout } from '../../src/main/disk/cache-layout.js';
import { keepProfile, keptProfile, removeProfile } from '../../src/main/profile/kept.js';
import type { Profile } from '../../src/main/profile/profile.js';
import { pushProfile } from '../../src/main/profile/published.js';
import { RegistryClient } from '../../src/main/registry/client.js';
import { type ResolvedImage, resolveImage } from '../../src/main/registry/image.js';
import { endServer, listen } from '../tools/local-server.js';
import { Machine } from '../tools/machine.js';
import { missing, startRegistry } from '../tools/registry.js';
import { makeImage, pushImage } from '../tools/registry-image.js';

const registryTest = missing.length > 0 ? test.skip : test;

interface World {
  readonly machine: Machine;
  readonly layout: CacheLayout;
  readonly url: string;
  readonly host: string;
  readonly profile: Profile;
}

/** An image in a registry, and a profile of it in the cache. */
async function world(t: ExecutionContext): Promise<World> {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  await pushImage(await makeImage(2, 1000), `${registry.host}/img:1`);
  const accept = 'application/vnd.oci.image.manifest.v1+json';
  const answer = await fetch(`${registry.url}/v2/img/manifests/1`, { headers: { accept } });
  const image = answer.headers.get('docker-content-digest') ?? '';
  const order = [{ layer: 0, path: 'file-0', first: 0, count: 1, bytes: 1, at: 0 }];
  const profile = { image, recorded: '2026-01-02T03:04:05.678Z', program: null, layers: [image], order };
  const layout = new CacheLayout(`${machine.root}/cache/crfs-plugin`);
  keepProfile(layout, profile);
  return { machine, layout, url: registry.url, host: registry.host, profile };
}

async function fetchedJson(url: string): Promise<{ manifests: { digest: string }[]; [key: string]: unknown }> {
  const types = ['index', 'manifest'].map((kind) => `application/vnd.oci.image.${kind}.v1+json`);
  return (await (await fetch(url, { headers: { accept: types.join(',') } })).json()) as never;
}

interface Found extends Pick<ResolvedImage, 'reference' | 'manifest'> {
  readonly client: RegistryClient;
}

/** The image, for who attaches what no command does. */
async function find(t: ExecutionContext, machine: Machine, host: string): Promise<Found> {
  const client = new RegistryClient({ spool: machine.root });
  t.teardown(() => client.close());
  return { client, ...(await resolveImage(client, `docker://${host}/img:1`)) };
}

registryTest('what was learned on one machine is taken over on another, and the image stays as it is', async (t) => {
  const { machine, layout, url, host, profile } = await world(t);
  const { image } = profile;
  await t.throwsAsync(machine.crfs('profile', 'pull', `${host}/img:1`), { message: /no profile is attached/ });
  const before = await fetchedJson(`${url}/v2/img/manifests/1`);
  const { client, reference, manifest } = await find(t, machine, host);
  const other = await pushIndexes(client, reference, manifest, [{ layer: image, bytes: Buffer.from('an index') }]);
  await machine.crfs('profile', 'push', `${host}/img:1`);
  const newer = { ...profile, recorded: '2026-02-02T03:04:05.678Z', program: '/newer' };
  keepProfile(layout, newer);
  await machine.crfs('profile', 'push', `${host}/img:1`);
  t.deepEqual(await fetchedJson(`${url}/v2/img/manifests/1`), before);
  removeProfile(layout, image);
  t.regex(await machine.crfs('profile', 'pull', `${host}/img:1`), /took over a profile of 1 read\n$/);
  t.deepEqual(keptProfile(layout, image), newer);
  const index = await fetchedJson(`${url}/v2/img/manifests/${image.replace(':', '-')}`);
  t.is(index.manifests.length, 2);
  t.is(index.manifests[0]?.digest, other, 'what is of another kind stays');
  const attached = await fetchedJson(`${url}/v2/img/manifests/${index.manifests[1]?.digest}`);
  t.like(attached, { artifactType: 'application/vnd.crfs.profile.v1+json', subject: { digest: image } });
});

registryTest('a registry that lists what is attached by itself is asked for that, and gets no tag', async (t) => {
  const { machine, layout, url, profile } = await world(t);
  const attached: object[] = [];
  const server = createServer((from, to) => forward(url, from, to, attached));
  const host = await listen(server);
  t.teardown(() => endServer(server));
  await machine.crfs('profile', 'push', `${host}/img:1`);
  t.is(attached.length, 1);
  const answer = await fetch(`${url}/v2/img/manifests/${profile.image.replace(':', '-')}`);
  t.is(answer.status, 404);
  removeProfile(layout, profile.image);
  const { client, reference, manifest } = await find(t, machine, host);
  const newest = { ...profile, recorded: '2026-03-02T03:04:05.678Z' };
  for (const one of [newest, { ...profile, recorded: '2026-02-02T03:04:05.678Z' }]) {
    await pushProfile(client, reference, manifest, one);
  }
  await machine.crfs('profile', 'pull', `${host}/img:1`);
  t.deepEqual(keptProfile(layout, profile.image), newest);
  const other = { ...manifest, digest: `sha256:${'0'.repeat(64)}` };
  await pushProfile(client, reference, other, { ...profile, recorded: '2026-04-02T03:04:05.678Z' });
  await t.throwsAsync(machine.crfs('profile', 'pull', `${host}/img:1`), {
    message: /the profile .* is of another image/,
  });
});

registryTest('what is attached and is no profile of the image is refused in one line, and not kept', async (t) => {
  const { machine, layout, host, profile } = await world(t);
  const { client, reference, manifest } = await find(t, machine, host);
  const bad: [Profile, RegExp][] = [
    [{ ...profile, image: `sha256:${'0'.repeat(64)}` }, /the profile .* is of another image\n?$/],
    [{ ...profile, layers: ['x'] }, /layers\.0 must be sha256: and 64 hex digits, not "x"/],
  ];
  for (const [attached, message] of bad) {
    await pushProfile(client, reference, manifest, attached);
    await t.throwsAsync(machine.crfs('profile', 'pull', `${host}/img:1`), { message });
    t.deepEqual(keptProfile(layout, profile.image), profile);
  }
});

registryTest('without a profile, or an image, push and pull say so', async (t) => {
  const { machine, layout, host, profile } = await world(t);
  removeProfile(layout, profile.image);
  await t.throwsAsync(machine.crfs('profile', 'push', `${host}/img:1`), { message: /there is no profile of docker:/ });
  await t.throwsAsync(machine.crfs('profile', 'pull', '/a/file'), { message: /only images in registries/ });
});

/** Hands on to a registry, and lists by itself what has a subject. */
function forward(url: string, from: IncomingMessage, to: ServerResponse, attached: object[]): void {
  const chunks: Buffer[] = [];
  from.on('data', (chunk: Buffer) => chunks.push(chunk));
  from.on('end', () => {
    const body = Buffer.concat(chunks);
    if (from.url?.includes('/referrers/')) {
      to.setHeader('content-type', 'application/vnd.oci.image.index.v1+json');
      to.end(JSON.stringify({ schemaVersion: 2, manifests: attached }));
      return;
    }
    const { host: _, ...headers } = from.headers;
    const on = request(`${url}${from.url}`, { method: from.method, headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(to);
      if (from.method !== 'PUT' || !from.url?.includes('/manifests/')) return;
      const { mediaType, annotations } = JSON.parse(String(body)) as Record<string, unknown>;
      attached.push({ mediaType, annotations, size: body.length, digest: answer.headers['docker-content-digest'] });
    });
    on.end(body);
  });
}
