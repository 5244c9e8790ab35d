// SPDX-License-Identifier: GPL-3.0-or-later

/** Images that SOCI has indexed, of either version: mounted lazily by what it has left in the registry. */

import { readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { ExecutionContext } from 'ava';
import { registryBehindProxy } from '../tools/behind-proxy.js';
import { sameBytes } from '../tools/bytes.js';
import { noise, text } from '../tools/content.js';
import type { FaultProxy } from '../tools/fault-proxy.js';
import { eachDriver, Machine, mountingTest, whyNoMounts } from '../tools/machine.js';
import { sha256 } from '../tools/read-layer.js';
import { missing, type Registry } from '../tools/registry.js';
import { type Blob, blobOf, pushImage } from '../tools/registry-image.js';
import { writeTar } from '../tools/tar-writer.js';
import { SOCI_TYPES, ZTOC_LAYER, ZTOC_TYPE, ztocOf, ztocParts } from '../tools/ztoc.js';

const why = whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined);
const mounting = mountingTest(why);
const each = eachDriver(why);

const MIB = 1 << 20;
const SPAN = 256 << 10;
const FILES = { first: text(100_000), middle: noise(12 * MIB), last: text(200_000) };
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const UNCHECKED = 'nothing: some files have no digest';
const PROVEN = 'the digests of its manifest';

type Version = keyof typeof SOCI_TYPES;
interface Manifest {
  readonly annotations?: Readonly<Record<string, string>>;
}

interface World {
  readonly proxy: FaultProxy;
  /** `docker://` name of the image, through the proxy. */
  readonly image: string;
  /** Of its manifest. */
  readonly digest: string;
  readonly blob: Buffer;
  readonly machine: () => Machine;
}

/** An image of one layer in gzip with its index by SOCI, which `spoil` may change. */
async function world(
  t: ExecutionContext,
  version: Version,
  spoil: (ztoc: Buffer) => Buffer = (ztoc) => ztoc,
): Promise<World> {
  const machine = machinesOf(t);
  const maker = machine();
  const { registry, proxy } = await registryBehindProxy(t, maker);
  const { layer, ztoc, attached } = await publish(maker, registry, 'plain', { files: FILES, level: 1 });
  const digest = await attached(version, spoil(ztoc));
  return { proxy, image: `docker://${proxy.host}/plain:1`, digest, blob: layer.bytes, machine };
}

function machinesOf(t: ExecutionContext): () => Machine {
  return () => {
    const made = new Machine({ CRFS_BACKGROUND: 'off', CRFS_READAHEAD: '0' });
    t.teardown(() => made.dispose());
    return made;
  };
}

interface Published {
  readonly layer: Blob;
  /** Its index by SOCI. */
  readonly ztoc: Buffer;
  /** Attaches an index to the image. Resolves to the digest of its manifest. */
  readonly attached: (version: Version, ztoc: Buffer) => Promise<string>;
}

/** An image `NAME:1` of one layer of these files, in gzip of this level. */
async function publish(
  maker: Machine,
  registry: Registry,
  name: string,
  { files, level }: { readonly files: Readonly<Record<string, Uint8Array>>; readonly level: number },
): Promise<Published> {
  const tar = join(maker.directory('tars'), `${name}.tar`);
  writeTar(
    tar,
    Object.entries(files).map(([path, content]) => ({ name: path, content })),
  );
  const layer = blobOf('application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(readFileSync(tar), { level }));
  writeFileSync(`${tar}.gz`, layer.bytes);
  const rootfs = { type: 'layers', diff_ids: [sha256(readFileSync(tar))] };
  const said = JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs, config: {} });
  const config = blobOf('application/vnd.oci.image.config.v1+json', Buffer.from(said));
  await pushImage({ layers: [layer], config }, `${registry.host}/${name}:1`);
  return {
    layer,
    ztoc: ztocOf(await ztocParts(tar, `${tar}.gz`, SPAN)),
    attached: (version, ztoc) => attach(`${registry.url}/v2/${name}`, version, layer, blobOf(ZTOC_TYPE, ztoc)),
  };
}

/** Leaves in a repository what SOCI does: an artifact that is attached to the image, or that its manifest names. Resolves to the digest of that manifest. */
async function attach(repository: string, version: Version, layer: Blob, ztoc: Blob): Promise<string> {
  const empty = blobOf(SOCI_TYPES[version], Buffer.from('{}'));
  for (const blob of [ztoc, empty]) await putBlob(repository, blob);
  const image = await (await fetch(`${repository}/manifests/1`, { headers: { accept: MANIFEST } })).text();
  const part = { ...described(ztoc), annotations: { [ZTOC_LAYER]: layer.digest } };
  const subject = version === 'v1' ? { subject: described(blobOf(MANIFEST, Buffer.from(image))) } : {};
  const manifest = { schemaVersion: 2, mediaType: MANIFEST, config: described(empty), layers: [part], ...subject };
  const artifact = blobOf(MANIFEST, Buffer.from(JSON.stringify(manifest)));
  await putManifest(repository, artifact.digest, artifact);
  if (version === 'v2') {
    const { annotations, ...rest } = JSON.parse(image) as Manifest;
    const named = { ...rest, annotations: { ...annotations, 'com.amazon.soci.index-digest': artifact.digest } };
    const changed = blobOf(MANIFEST, Buffer.from(JSON.stringify(named)));
    await putManifest(repository, '1', changed);
    return changed.digest;
  }
  const listed = { ...described(artifact), artifactType: SOCI_TYPES.v1 };
  const list = { schemaVersion: 2, mediaType: INDEX, manifests: [listed] };
  const digest = sha256(Buffer.from(image));
  await putManifest(repository, digest.replace(':', '-'), blobOf(INDEX, Buffer.from(JSON.stringify(list))));
  return digest;
}

function described({ mediaType, digest, size }: Blob): Pick<Blob, 'mediaType' | 'digest' | 'size'> {
  return { mediaType, digest, size };
}

async function putBlob(repository: string, { digest, bytes }: Blob): Promise<void> {
  const begun = await fetch(`${repository}/blobs/uploads/`, { method: 'POST' });
  const to = new URL(begun.headers.get('location') ?? '', repository);
  to.searchParams.set('digest', digest);
  await done(await fetch(to, { method: 'PUT', body: new Uint8Array(bytes) }));
}

async function putManifest(repository: string, name: string, { mediaType, bytes }: Blob): Promise<void> {
  const headers = { 'content-type': mediaType };
  await done(await fetch(`${repository}/manifests/${name}`, { method: 'PUT', headers, body: new Uint8Array(bytes) }));
}

async function done(answer: Response): Promise<void> {
  if (!answer.ok) throw new Error(`the registry says ${answer.status}: ${await answer.text()}`);
}

async function readsRight(t: ExecutionContext, merged: string): Promise<void> {
  for (const [name, content] of Object.entries(FILES)) sameBytes(t, await readFile(join(merged, name)), content);
}

async function verifiedBy(machine: Machine): Promise<string | undefined> {
  return (await machine.status())?.layers[0]?.verified;
}

for (const version of ['v1', 'v2'] as const) {
  mounting(`an image that SOCI has indexed, ${version}, is mounted lazily, and its files are right`, async (t) => {
    const { proxy, image, blob, machine } = await world(t, version);
    proxy.reset();
    const reader = machine();
    const { merged } = await reader.mount([image]);
    sameBytes(t, await readFile(join(merged, 'last')), FILES.last);
    t.is(await verifiedBy(reader), UNCHECKED);
    t.true(proxy.sent < blob.length / 2, `${proxy.sent} of ${blob.length} bytes`);
    await readsRight(t, merged);
    t.regex(
      await machine().crfs('verify', image),
      /^layer sha256:\w+: ok, 3 files, .*; until `crfs index` has made one here, mounts go by an index of SOCI, which nothing checks$/m,
    );
    proxy.reset();
    t.is(await machine().crfs('ls', image), 'first\nlast\nmiddle\n');
    t.true(proxy.sent < blob.length / 2, `${proxy.sent} of ${blob.length} bytes`);
  });
}

each('an index that was made of another image shows nothing of it', async (t) => {
  const machine = machinesOf(t);
  const maker = machine();
  const { registry, proxy } = await registryBehindProxy(t, maker);
  const [ours, theirs] = [{ file: noise(100_000, 1) }, { file: noise(100_000, 2) }];
  const first = await publish(maker, registry, 'first', { files: theirs, level: 0 });
  const second = await publish(maker, registry, 'second', { files: ours, level: 0 });
  t.is(first.layer.bytes.length, second.layer.bytes.length);
  for (const one of [first, second]) await one.attached('v1', second.ztoc);
  const reader = machine();
  for (const [name, { file }] of [
    ['first', theirs],
    ['second', ours],
  ] as const) {
    const mount = await reader.mount([`docker://${proxy.host}/${name}:1`]);
    sameBytes(t, await readFile(join(mount.merged, 'file')), file);
    await mount.unmount();
  }
});

mounting('an image whose index by SOCI is damaged is read as a whole, and a line says so', async (t) => {
  const { image, machine } = await world(t, 'v1', (ztoc) => ztoc.subarray(0, -1000));
  const reader = machine();
  const { merged } = await reader.mount([image]);
  await readsRight(t, merged);
  t.is(await verifiedBy(reader), PROVEN);
  t.regex(reader.log, /takes no index that is attached to its image: [^"]*its index is/);
});

for (const version of ['v1', 'v2'] as const) {
  mounting(
    `an image that is named by its digest is read as a whole, whatever SOCI has made of it: ${version}`,
    async (t) => {
      const { image, digest, machine } = await world(t, version);
      const reader = machine();
      const { merged } = await reader.mount([`${image.slice(0, -':1'.length)}@${digest}`]);
      await readsRight(t, merged);
      t.is(await verifiedBy(reader), PROVEN);
    },
  );
}
