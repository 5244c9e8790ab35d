// SPDX-License-Identifier: GPL-3.0-or-later

/** Indexes that one machine attaches to an image in its registry, and others mount it by. */

import { readFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { ExecutionContext } from 'ava';
import { pushIndexes } from '../../src/main/attached/push-indexes.js';
import { decodeHeader, encodeHeader, HEADER_BYTES } from '../../src/main/formats/portable/layout.js';
import { RegistryClient } from '../../src/main/registry/client.js';
import { resolveImage } from '../../src/main/registry/image.js';
import { invoke } from '../commands/setting.js';
import { registryBehindProxy } from '../tools/behind-proxy.js';
import { sameBytes } from '../tools/bytes.js';
import { zstd } from '../tools/compressed-stream.js';
import { noise, text } from '../tools/content.js';
import type { Fault, FaultProxy, Seen } from '../tools/fault-proxy.js';
import { Machine, mountingTest, until, whyNoMounts } from '../tools/machine.js';
import { sha256 } from '../tools/read-layer.js';
import { missing } from '../tools/registry.js';
import { blobOf, pushImage } from '../tools/registry-image.js';
import { writeTar } from '../tools/tar-writer.js';

const mounting = mountingTest(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

const MIB = 1 << 20;
const FILES = { first: text(100_000), middle: noise(12 * MIB), last: text(200_000) };
const BY_INDEX = 'the digests of an index in its registry';
const BY_MANIFEST = 'the digests of its manifest';
const LAZY = { CRFS_BACKGROUND: 'off', CRFS_READAHEAD: '0' };

interface World {
  readonly proxy: FaultProxy;
  /** `docker://` name of the image, through the proxy. */
  readonly image: string;
  /** Of its manifest. */
  readonly digest: string;
  /** The layer, or all of them. */
  readonly blob: Buffer;
  /** A machine that knows nothing yet. */
  readonly machine: (settings?: Record<string, string>) => Machine;
}

/** A layer as some builder writes it. */
interface Built {
  readonly type: string;
  readonly files: Readonly<Record<string, Buffer>>;
  readonly pack: (tar: Buffer) => Buffer;
}

const BUILT: readonly Built[] = [{ type: 'tar+gzip', files: FILES, pack: (tar) => gzipSync(tar, { level: 1 }) }];

function inTwoFrames(tar: Buffer): Buffer {
  return Buffer.concat([zstd(tar.subarray(0, tar.length / 2)), zstd(tar.subarray(tar.length / 2))]);
}

/** An image of layers without a TOC, in a registry, with the tag 1; and another one of the same layers, with the tag 2. */
async function world(t: ExecutionContext, built = BUILT): Promise<World> {
  const machine = (settings: Record<string, string> = {}): Machine => {
    const made = new Machine({ ...LAZY, ...settings });
    t.teardown(() => made.dispose());
    return made;
  };
  const maker = machine();
  const { registry, proxy } = await registryBehindProxy(t, maker);
  const made = built.map(({ type, files, pack }, n) => {
    const tar = join(maker.directory('tars'), `${n}.tar`);
    writeTar(
      tar,
      Object.entries(files).map(([name, content]) => ({ name, content })),
    );
    const bytes = readFileSync(tar);
    return { diff: sha256(bytes), layer: blobOf(`application/vnd.oci.image.layer.v1.${type}`, pack(bytes)) };
  });
  const rootfs = { type: 'layers', diff_ids: made.map(({ diff }) => diff) };
  const layers = made.map(({ layer }) => layer);
  for (const tag of ['1', '2']) {
    const said = JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs, config: { WorkingDir: `/${tag}` } });
    const config = blobOf('application/vnd.oci.image.config.v1+json', Buffer.from(said));
    await pushImage({ layers, config }, `${registry.host}/plain:${tag}`);
  }
  const accept = 'application/vnd.oci.image.manifest.v1+json';
  const answer = await fetch(`${registry.url}/v2/plain/manifests/1`, { headers: { accept } });
  const digest = answer.headers.get('docker-content-digest') ?? '';
  const blob = Buffer.concat(layers.map(({ bytes }) => bytes));
  return { proxy, image: `docker://${proxy.host}/plain:1`, digest, blob, machine };
}

async function verifiedBy(machine: Machine): Promise<readonly string[]> {
  return [...new Set((await machine.status())?.layers.map(({ verified }) => verified))];
}

/** What was attached to an image last. */
async function attachedTo({ proxy, digest }: World): Promise<{ readonly index: string; readonly portable: Buffer }> {
  const accept = ['index', 'manifest'].map((kind) => `application/vnd.oci.image.${kind}.v1+json`).join(',');
  const get = async (path: string): Promise<Response> =>
    await fetch(`${proxy.url}/v2/plain/${path}`, { headers: { accept } });
  const index = await (await get(`manifests/${digest.replace(':', '-')}`)).text();
  const [{ digest: artifact }] = (JSON.parse(index) as { manifests: [{ digest: string }] }).manifests;
  const { layers } = (await (await get(`manifests/${artifact}`)).json()) as { layers: [{ digest: string }] };
  return { index, portable: Buffer.from(await (await get(`blobs/${layers[0].digest}`)).arrayBuffer()) };
}

const isListing = ({ path }: Seen): boolean => /referrers|sha256-/.test(path);

const json = (body: string): Fault => ({
  kind: 'status',
  status: 200,
  headers: { 'content-type': 'application/vnd.oci.image.index.v1+json' },
  body,
});

mounting('an index that one machine has attached has another one fetch no more than it reads', async (t) => {
  const there = await world(t);
  const { proxy, image, digest, blob, machine } = there;
  const maker = machine();
  t.regex(await maker.crfs('index', '--push', image), /: 1 layer without a TOC indexed; 1 attached to it, .*KiB\n$/);
  const { index, portable } = await attachedTo(there);
  t.true(portable.length < blob.length / 100);
  for (const way of ['by a tag', 'by a list'] as const) {
    proxy.fault = (seen) => {
      if (way === 'by a tag' || !isListing(seen)) return undefined;
      return seen.path.includes('/referrers/') ? json(index) : { kind: 'status', status: 404 };
    };
    proxy.reset();
    const other = machine();
    const mount = await other.mount([image]);
    sameBytes(t, await readFile(join(mount.merged, 'last')), FILES.last);
    t.deepEqual(await verifiedBy(other), [BY_INDEX]);
    t.true(proxy.sent < blob.length / 2, `${proxy.sent} bytes`);
    t.is(proxy.seen.filter(isListing).length, 2, 'both places are asked once');
    sameBytes(t, await readFile(join(mount.merged, 'middle')), FILES.middle);
    await mount.unmount();
    t.false((await other.crfs('cache', 'ls')).includes('not known any more'));
    await other.mount([image.replace(/1$/, '2')]);
    const isProven = async (): Promise<boolean> => (await verifiedBy(other)).join() === BY_MANIFEST;
    await until('the other image, to which nothing is attached, alone is mounted, and proven', isProven);
  }
  proxy.fault = () => undefined;
  const pinning = machine();
  await pinning.mount([`${image.slice(0, -2)}@${digest}`]);
  t.deepEqual(await verifiedBy(pinning), [BY_MANIFEST], 'a digest stands for nothing that is attached');
  await pinning.mount([image]);
  t.deepEqual(await verifiedBy(pinning), [BY_MANIFEST], 'what was proven here is better');
  const without = machine({ CRFS_INDEXES: 'off' });
  await without.mount([image]);
  t.deepEqual(await verifiedBy(without), [BY_MANIFEST]);
});

mounting(
  'indexes of zstd in frames and of a tar as it is are attached, and of no layer that has to be decoded from far away',
  async (t) => {
    const [frames, plain, large, note] = [noise(4 * MIB, 1), noise(4 * MIB, 2), text(5000), text(100)];
    const { proxy, image, blob, machine } = await world(t, [
      {
        type: 'tar+zstd',
        files: { frames, f: noise(4 * MIB, 3), note },
        pack: (tar) => inTwoFrames(tar),
      },
      { type: 'tar', files: { plain, p: noise(4 * MIB, 4) }, pack: (tar) => tar },
      { type: 'tar+zstd', files: { zeros: Buffer.alloc(33 * MIB), large }, pack: (tar) => zstd(tar) },
    ]);
    t.regex(
      await machine().crfs('index', '--push', image),
      /: 3 layers without a TOC indexed; 2 attached to it, \d+ B: 1 of zstd in large frames would be of no use there; `crfs stargzify` makes lazy layers of them\n$/,
    );
    proxy.reset();
    const other = machine();
    const mount = await other.mount([image]);
    for (const [name, content] of Object.entries({ frames, plain, large })) {
      sameBytes(t, await readFile(join(mount.merged, name)), content);
    }
    t.true(proxy.sent < 0.75 * blob.length, `${proxy.sent} bytes of ${blob.length}`);
    t.is(await machine().crfs('cat', image, '/note'), note.toString(), 'nothing of it is here');
    const status = await other.crfs('status');
    for (const row of [
      / plain zstd +\d.* an index in its/,
      / plain tar +\d.* an index in its/,
      / plain zstd +\d.* its manifest/,
    ])
      t.regex(status, row);
    t.regex(
      await other.crfs('inspect', image),
      /\n1 .* plain zstd +by index +[^]*\n2 .* plain tar +by index +[^]*\n3 .* plain zstd +yes /,
    );
  },
);

mounting('where nothing could be attached of what was to be, that fails, and tells what to do', async (t) => {
  const files = { zeros: Buffer.alloc(33 * MIB), last: text(100) };
  const { image, machine } = await world(t, [{ type: 'tar+zstd', files, pack: (tar) => zstd(tar) }]);
  const one = machine();
  const { code, stdout } = await invoke(one, ['index', '--push', image]);
  t.is(code, 1);
  t.regex(
    stdout,
    /: 1 layer without a TOC indexed; none attached to it: 1 of zstd in large frames would be of no use there; `crfs stargzify` makes lazy layers of them\n$/,
  );
  t.is((await invoke(one, ['index', image])).code, 0);
});

mounting('who looks into an image takes the index that is attached to it where a mount does', async (t) => {
  const { proxy, image, digest, blob, machine } = await world(t);
  await machine().crfs('index', '--push', image);
  proxy.reset();
  const other = machine();
  const pinned = `${image.slice(0, -2)}@${digest}`;
  const inspected = async (name: string): Promise<unknown> => {
    const { layers } = JSON.parse(await other.crfs('inspect', '--json', name)) as { layers: unknown[] };
    return layers[0];
  };
  t.regex(
    await other.crfs('inspect', image),
    new RegExp(`^name +${image}\n[^]*\n1 .* plain gzip +by index +[^]*an index in its`),
  );
  t.like(await inspected(image), {
    lazy: true,
    byIndex: true,
    format: 'plain gzip, by an index in its registry',
    cached: { indexed: false },
  });
  t.like(await inspected(pinned), { lazy: false, byIndex: false });
  sameBytes(t, Buffer.from(await other.crfs('cat', image, '/last')), FILES.last);
  t.true(proxy.sent < blob.length / 2, `${proxy.sent} bytes`);
  t.regex(await other.crfs('verify', '--json', image), /"kind":\s*"plain gzip"/);
  await other.mount([image]);
  t.like(await inspected(image), { lazy: true, byIndex: true, cached: { indexed: true } });
  t.like(await inspected(pinned), { lazy: false });
  proxy.fault = (seen) => (isListing(seen) ? { kind: 'status', status: 500 } : undefined);
  t.like(await inspected(image), { lazy: true, byIndex: true }, 'by what the mount has kept');
});

mounting('a mount by an attached index goes on with the next daemon, whatever was found out meanwhile', async (t) => {
  const { image, machine } = await world(t);
  await machine().crfs('index', '--push', image);
  const other = machine();
  const { merged } = await other.mount([image]);
  t.regex(await other.crfs('index', image), /: 1 layer without a TOC indexed\n$/);
  const pid = (await other.status())?.pid ?? 0;
  process.kill(pid, 'SIGKILL');
  sameBytes(t, await readFile(join(merged, 'last')), FILES.last);
  t.deepEqual(await verifiedBy(other), [BY_INDEX]);
});

mounting('a mount that goes by what this machine has read goes on by it when the cache is removed', async (t) => {
  const { image, machine } = await world(t);
  const maker = machine();
  await maker.crfs('index', '--push', image);
  const { merged } = await maker.mount([image]);
  t.deepEqual(await verifiedBy(maker), [BY_MANIFEST]);
  process.kill((await maker.status())?.pid ?? 0, 'SIGKILL');
  rmSync(join(maker.root, 'cache/crfs-plugin'), { recursive: true });
  sameBytes(t, await readFile(join(merged, 'last')), FILES.last);
  t.deepEqual(await verifiedBy(maker), [BY_MANIFEST]);
});

mounting('indexes that lie are done without, or give errors, and never wrong bytes', async (t) => {
  const there = await world(t);
  const { image, blob, machine } = there;
  await machine().crfs('index', '--push', image);
  const { portable } = await attachedTo(there);
  const client = new RegistryClient({ spool: machine().root });
  t.teardown(() => client.close());
  const { reference, manifest } = await resolveImage(client, image);
  const { form, tocBytes, points } = decodeHeader(portable, portable.length);
  const toc = gunzipSync(portable.subarray(HEADER_BYTES, HEADER_BYTES + tocBytes)).toString();
  const withToc = (changed: string): Buffer => {
    const packed = gzipSync(changed);
    const header = encodeHeader({ blobSize: blob.length, form, tocBytes: packed.length, points });
    return Buffer.concat([header, packed, portable.subarray(HEADER_BYTES + tocBytes)]);
  };
  const layer = sha256(blob);
  const refused: readonly (readonly [string, Buffer])[] = [
    ['is no index of version 1', noise(1000)],
    [
      'its index is of a blob of 1 bytes',
      Buffer.concat([encodeHeader({ blobSize: 1, form, tocBytes, points }), portable.subarray(HEADER_BYTES)]),
    ],
    [`bytes for a layer of ${blob.length}`, Buffer.concat([portable, Buffer.alloc((17 << 20) + blob.length)])],
  ];
  for (const [what, bytes] of refused) {
    await pushIndexes(client, reference, manifest, [{ layer, bytes }]);
    const one = machine();
    const { merged } = await one.mount([image]);
    sameBytes(t, await readFile(join(merged, 'last')), FILES.last);
    t.deepEqual(await verifiedBy(one), [BY_MANIFEST], what);
    const told = one.log.split('takes no index that is attached to its image');
    t.is(told.length, 2, what);
    t.true(told[1]?.includes(what), told[1]);
  }
  const wrongDigest = toc.replaceAll(/(?<="chunkDigest":")sha256:[0-9a-f]{64}/g, sha256(noise(10)));
  const wrongPlace = toc.replaceAll(/(?<="offset":)\d+/g, (offset) => String(Number(offset) + 512));
  for (const lie of [wrongDigest, wrongPlace]) {
    await pushIndexes(client, reference, manifest, [{ layer, bytes: withToc(lie) }]);
    const one = machine();
    const { merged } = await one.mount([image]);
    t.deepEqual(await verifiedBy(one), [BY_INDEX]);
    for (const file of ['first', 'last']) await t.throwsAsync(readFile(join(merged, file)), { code: 'EIO' });
  }
});

mounting('a registry that says nothing of what is attached, or refuses to take it, costs a line', async (t) => {
  const { proxy, image, machine } = await world(t);
  proxy.fault = ({ method, path }) =>
    method === 'PUT' && path.includes('/manifests/') ? { kind: 'status', status: 405 } : undefined;
  const maker = machine();
  const error = await t.throwsAsync(maker.crfs('index', '--push', image));
  t.regex(error.message, /crfs: [^\n]*cannot write the manifest of [^\n]*\n?$/);
  proxy.fault = (seen) => (isListing(seen) ? { kind: 'status', status: 500 } : undefined);
  const other = machine();
  await other.mount([image]);
  t.deepEqual(await verifiedBy(other), [BY_MANIFEST]);
  await until('it is told', () => other.log.includes('takes no index that is attached to its image'));
});

mounting('what is indexed is told, and what cannot be is refused', async (t) => {
  const { image, machine } = await world(t);
  const one = machine();
  const told = JSON.parse(await one.crfs('index', '--json', image)) as { layers: object[] };
  t.like(told, { name: image, attached: null });
  t.like(told.layers[0], { format: 'plain gzip' });
  t.not((told.layers[0] as { format: string }).format, 'plain gzip, by an index in its registry');
  const mount = await one.mount([image]);
  sameBytes(t, await readFile(join(mount.merged, 'first')), FILES.first);
  for (const [args, message] of [
    [['./file.tar.gz'], /is a file: its first mount makes its index/],
    [['--push', 'https://localhost:1/layer'], /indexes can be attached to images in registries alone/],
  ] as const) {
    await t.throwsAsync(one.crfs('index', ...args), { message });
  }
});
