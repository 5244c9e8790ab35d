// SPDX-License-Identifier: GPL-3.0-or-later

import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { noise } from '../tools/content.js';
import { extractTar } from '../tools/extract.js';
import { type Fault, type FaultProxy, startFaultProxy } from '../tools/fault-proxy.js';
import { Gate } from '../tools/gate.js';
import { imageOf, pushTars } from '../tools/image.js';
import { anyDriver, eachDriver, Machine, until, whyNoMounts } from '../tools/machine.js';
import { writeNastyTar } from '../tools/nasty-tar.js';
import { tarOfPrograms } from '../tools/podman.js';
import { missing, type Registry, startRegistry } from '../tools/registry.js';
import { blobOf, makeImage, pushImage } from '../tools/registry-image.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { compareTrees, describeTree } from '../tools/tree.js';
import { writeWhiteoutTars } from '../tools/whiteout-tars.js';

const remote = eachDriver(whyNoMounts() ?? missing[0]);
const shared = anyDriver(whyNoMounts() ?? missing[0]);

interface World {
  readonly machine: Machine;
  readonly registry: Registry;
  readonly proxy: FaultProxy;
  /** `docker://` name of an image, through the proxy. */
  readonly image: (name: string) => string;
}

async function world(t: ExecutionContext, settings: Record<string, string> = {}): Promise<World> {
  const machine = new Machine(settings);
  t.teardown(() => machine.dispose());
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(() => proxy.close());
  return { machine, registry, proxy, image: (name) => `docker://${proxy.host}/${name}` };
}

/** An eStargz blob as one that keeps its TOC elsewhere, and that TOC. */
function splitToc(blob: Buffer): { content: Buffer; toc: Buffer } {
  const footer = 51;
  const tocOffset = Number.parseInt(blob.toString('latin1', blob.length - 35, blob.length - 19), 16);
  const extra = 'SG\x11\0STARGZEXTERNALTOC';
  const head = Buffer.from('1f8b08040000000000ff1500', 'hex');
  const external = Buffer.concat([
    head,
    Buffer.from(extra, 'latin1'),
    Buffer.from('010000ffff0000000000000000', 'hex'),
  ]);
  const content = Buffer.concat([blob.subarray(0, tocOffset), external]);
  return { content, toc: blob.subarray(tocOffset, blob.length - footer) };
}

/** What happens to requests for bytes of layers alone: others go on in the background. */
function ofBlobs(fault: () => Fault | undefined): FaultProxy['fault'] {
  return ({ path }) => (path.includes('/blobs/') ? fault() : undefined);
}

/** The requests for bytes of layers. */
function blobRequests({ seen }: FaultProxy): number {
  return seen.filter(({ path }) => path.includes('/blobs/')).length;
}

remote('an image of two layers shows what fuse-overlayfs makes of its extracted layers', async (t) => {
  const { machine, registry, image } = await world(t);
  const { lower, upper } = writeWhiteoutTars(machine.directory('tars'));
  await pushTars([lower, upper], `${registry.host}/pair:1`);
  const below = machine.directory('below');
  const above = machine.directory('above');
  await extractTar(lower, below);
  await extractTar(upper, above);
  const plain = await machine.mount([above, below]);
  const mount = await machine.mount([image('pair:1')]);
  const [shown, expected] = [await describeTree(mount.merged), await describeTree(plain.merged)];
  t.true(shown.size > 5);
  // where a layer holds both a file and its whiteout, the file wins
  t.deepEqual(compareTrees(shown, expected, { ignoreMtimeOf: ['.'] }), ['"both-at-once" should not be there']);
});

shared('a layer at a URL reads as GNU tar extracts it', async (t) => {
  const { machine, registry, proxy } = await world(t);
  const { path, impliedDirectories } = writeNastyTar(machine.directory('nasty'));
  const { layers } = await pushTars([path], `${registry.host}/nasty:1`);
  const expected = machine.directory('expected');
  await extractTar(path, expected);
  const mount = await machine.mount([`${proxy.url}/v2/nasty/blobs/${layers[0]?.digest}`]);
  const differences = compareTrees(await describeTree(mount.merged, { readers: 16 }), await describeTree(expected), {
    ignoreMtimeOf: ['.', ...impliedDirectories],
  });
  t.deepEqual(
    differences.filter((line) => !line.startsWith('"dot"')),
    [],
  );
});

remote('podman runs a program in a mounted image, and little of it is fetched', async (t) => {
  const { machine, registry, proxy, image } = await world(t, { CRFS_BACKGROUND: 'off' });
  const unread = join(machine.directory('tars'), 'unread.tar');
  writeTar(
    unread,
    [1, 2, 3, 4].map((n) => ({ name: `unread-${n}`, content: noise(4 << 20, n) })),
  );
  const { layers } = await pushTars([unread, await tarOfPrograms(machine, ['/bin/echo'])], `${registry.host}/echo:1`);
  const mount = await machine.mount([image('echo:1')], { upper: true });
  const namespace = 'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup';
  const limits = '--ulimit nofile=1024:1024 --ulimit nproc=1024:1024';
  const podman = `podman run --rm --network=none --cgroups=disabled ${limits} --rootfs ${mount.merged} /bin/echo hello`;
  const said = await run('unshare', ['-m', 'sh', '-c', `${namespace}; ${podman}`], { env: machine.env });
  t.is(String(said), 'hello\n');
  const all = layers.reduce((sum, { size }) => sum + size, 0);
  t.true(proxy.sent < all / 2, `${proxy.sent} bytes were fetched, of ${all}`);
});

shared('a second mount, after a restart, asks for the manifest of the tag and nothing else', async (t) => {
  const { machine, registry, proxy, image } = await world(t, { CRFS_BACKGROUND: 'off' });
  const { lower, upper } = writeWhiteoutTars(machine.directory('tars'));
  await pushTars([lower, upper], `${registry.host}/pair:1`);
  const first = await machine.mount([image('pair:1')]);
  const expected = await describeTree(first.merged);
  await first.unmount();
  await machine.stop();
  proxy.reset();
  const second = await machine.mount([image('pair:1')]);
  t.deepEqual(compareTrees(await describeTree(second.merged), expected), []);
  t.is(blobRequests(proxy), 0);
  t.true(proxy.seen.some(({ path }) => path.endsWith('/manifests/1')));
});

shared('with the registry gone, a tag that was seen before mounts from the cache, and the log says so', async (t) => {
  const { machine, registry, image } = await world(t);
  const { lower, upper } = writeWhiteoutTars(machine.directory('tars'));
  await pushTars([lower, upper], `${registry.host}/pair:1`);
  const first = await machine.mount([image('pair:1')]);
  const expected = await describeTree(first.merged);
  await first.unmount();
  await registry.stop();
  const second = await machine.mount([image('pair:1')]);
  t.deepEqual(compareTrees(await describeTree(second.merged), expected), []);
  t.regex(machine.log, /mounted what was seen last/);
});

shared('no byte is fetched twice, by 16 readers and the background download together', async (t) => {
  const { machine, registry, proxy, image } = await world(t);
  const tar = join(machine.directory('tars'), 'many.tar');
  writeTar(tar, [
    ...Array.from({ length: 600 }, (_, n) => ({ name: `small/${n}`, content: noise(1 + ((n * 977) % 30_000), n) })),
    ...[1, 2, 3, 4].map((n) => ({ name: `large-${n}`, content: noise(4 << 20, n) })),
  ]);
  const [layer] = (await pushTars([tar], `${registry.host}/many:1`)).layers;
  const mount = await machine.mount([image('many:1')]);
  const gate = new Gate();
  proxy.fault = ofBlobs(() => ({ kind: 'hold', gate, after: 1000 }));
  await until('the background download is under way', () => gate.arrivals > 0);
  const downloads = gate.arrivals;
  const reading = describeTree(join(mount.merged, 'small'), { readers: 16 });
  await until('so is what a reader waits for', () => gate.arrivals > downloads);
  gate.open();
  const tree = await reading;
  t.true(tree.size > 500);
  t.true(proxy.sent <= (layer?.size ?? 0) + 100_000, `${proxy.sent} bytes came for a layer of ${layer?.size}`);
});

shared('thirty layers are opened at the same time, not one after the other', async (t) => {
  const { machine, registry, proxy, image } = await world(t, { CRFS_BACKGROUND: 'off' });
  const tars = Array.from({ length: 30 }, (_, n) => {
    const path = join(machine.directory('tars'), `${n}.tar`);
    writeTar(path, [{ name: `file-${n}`, mtime: 1_500_000_000, content: Buffer.from(`layer ${n}\n`) }]);
    return path;
  });
  await pushTars(tars, `${registry.host}/many:1`);
  const gate = new Gate();
  proxy.fault = ({ path }) => (path.includes('/blobs/') ? { kind: 'hold', gate } : undefined);
  const mounting = machine.mount([image('many:1')]);
  await until('several layers are asked for before any of them is had', () => gate.arrivals >= 8);
  gate.open();
  t.is((await readdir((await mounting).merged)).length, 30);
});

const entry = (name: string, content: string) => ({ name, mtime: 1_500_000_000, content: Buffer.from(content) });
const directory = (name: string) => ({ name, type: '5' as const, mode: 0o755, mtime: 1_500_000_000 });

remote('an image of five layers shows what umoci unpacks', async (t) => {
  const { machine, registry, image } = await world(t);
  const layers = [
    [directory('etc/'), entry('etc/kept', 'one'), entry('etc/gone', 'one'), directory('old/'), entry('old/a', 'one')],
    [entry('etc/replaced', 'two'), entry('moved', 'two'), directory('type/'), entry('type/inside', 'two')],
    [entry('etc/.wh.gone', ''), entry('etc/replaced', 'three'), entry('.wh.moved', ''), entry('etc/moved', 'two')],
    [directory('old/'), entry('old/.wh..wh..opq', ''), entry('old/b', 'four')],
    [entry('type', 'five'), directory('new/'), entry('new/file', 'five')],
  ];
  const tars = layers.map((entries, n) => {
    const path = join(machine.directory('tars'), `${n}.tar`);
    writeTar(path, entries);
    return path;
  });
  await pushTars(tars, `${registry.host}/five:1`);
  const oci = `${machine.directory('oci')}:1`;
  await run('skopeo', ['copy', '-q', '--src-tls-verify=false', `docker://${registry.host}/five:1`, `oci:${oci}`]);
  const bundle = join(machine.root, 'bundle');
  await run('umoci', ['unpack', '--image', oci, bundle]);
  const mount = await machine.mount([image('five:1')]);
  const [shown, unpacked] = [await describeTree(mount.merged), await describeTree(join(bundle, 'rootfs'))];
  t.true(shown.size > 8);
  // these belong to the format, not to the tree; umoci does not know that
  const ofTheFormat = ['".no.prefetch.landmark" is missing', '"stargz.index.json" is missing'];
  t.deepEqual(compareTrees(shown, unpacked, { ignoreMtimeOf: ['.', 'etc'] }), ofTheFormat);
});

shared('a layer that cannot be mounted is refused, by its digest, with the command that converts it', async (t) => {
  const { machine, registry, image } = await world(t);
  const made = await makeImage(1, 1000);
  const plain = {
    ...made,
    layers: made.layers.map(({ mediaType }) => blobOf(mediaType, Buffer.from('\xfd7zXZ\0no layer', 'latin1'))),
  };
  await pushImage(plain, `${registry.host}/plain:1`);
  const error = await t.throwsAsync(machine.mount([image('plain:1')]));
  t.regex(error?.message ?? '', new RegExp(`layer ${plain.layers[0]?.digest}.*crfs stargzify`));
});

shared('a layer whose TOC is not the one that the manifest names is refused', async (t) => {
  const { machine, registry, image } = await world(t);
  const { lower, upper } = writeWhiteoutTars(machine.directory('tars'));
  const honest = await imageOf([lower, upper]);
  const [base, top] = honest.layers;
  const swapped = [{ ...base, annotations: top?.annotations }, top] as typeof honest.layers;
  await pushImage({ ...honest, layers: swapped }, `${registry.host}/swapped:1`);
  const error = await t.throwsAsync(machine.mount([image('swapped:1')]));
  t.regex(error?.message ?? '', /its TOC is not the one of the manifest/);
});

shared('a TOC that a manifest names is held against what is known of the layer, in use or not', async (t) => {
  const { machine, registry, image } = await world(t);
  const { lower, upper } = writeWhiteoutTars(machine.directory('tars'));
  const [one, other] = [await imageOf([lower]), await imageOf([upper])];
  const [layer] = one.layers;
  if (layer === undefined) throw new Error('the image has no layer');
  const { annotations: _, ...bare } = layer;
  await pushImage({ ...one, layers: [bare] }, `${registry.host}/toc:bare`);
  await pushImage(
    { ...one, layers: [{ ...bare, annotations: other.layers[0]?.annotations ?? {} }] },
    `${registry.host}/toc:wrong`,
  );
  const refused = { message: /its TOC is not the one of the manifest/ };
  const mount = await machine.mount([image('toc:bare')]);
  await t.throwsAsync(machine.mount([image('toc:wrong')]), refused);
  t.deepEqual(
    (await machine.status())?.layers.map(({ mounts }) => mounts),
    [1],
  );
  await mount.unmount();
  await until('the layer is let go', async () => (await machine.status())?.layers.length === 0);
  await t.throwsAsync(machine.mount([image('toc:wrong')]), refused);
  t.deepEqual((await machine.status())?.layers, [], 'what is refused is not in use');
  await machine.mount([image('toc:bare')]);
});

shared('a layer whose TOC is kept in an image beside it mounts like any other', async (t) => {
  const { machine, registry, image } = await world(t);
  const { lower } = writeWhiteoutTars(machine.directory('tars'));
  const { layers, config } = await imageOf([lower]);
  const [layer] = layers;
  if (layer === undefined) throw new Error('the image has no layer');
  const { content, toc } = splitToc(layer.bytes);
  const bare = { ...blobOf(layer.mediaType, content), annotations: layer.annotations ?? {} };
  const tocLayer = {
    ...blobOf(layer.mediaType, toc),
    annotations: { 'containerd.io/snapshot/stargz/layer.digest': bare.digest },
  };
  await pushImage({ layers: [bare], config }, `${registry.host}/external:1`);
  await pushImage({ layers: [tocLayer], config }, `${registry.host}/external:1-esgztoc`);
  const expected = machine.directory('expected');
  await extractTar(lower, expected);
  const plain = await machine.mount([expected]);
  const mount = await machine.mount([image('external:1')]);
  const [shown, wanted] = [await describeTree(mount.merged), await describeTree(plain.merged)];
  t.true(shown.size > 3);
  t.deepEqual(compareTrees(shown, wanted, { ignoreMtimeOf: ['.'] }), []);
});

shared('a read goes on when the registry fails, and comes back', async (t) => {
  const { machine, registry, proxy, image } = await world(t, { CRFS_BACKGROUND: 'off' });
  const { path } = writeNastyTar(machine.directory('nasty'));
  await pushTars([path], `${registry.host}/nasty:1`);
  const mount = await machine.mount([image('nasty:1')]);
  let failures = 0;
  const kinds = [
    { kind: 'status', status: 503 },
    { kind: 'reset', after: 1000 },
    { kind: 'truncate', after: 2000 },
    { kind: 'status', status: 429, headers: { 'retry-after': '0' } },
  ] as const;
  proxy.fault = ofBlobs(() => (failures < kinds.length ? kinds[failures++] : undefined));
  const expected = machine.directory('expected');
  await extractTar(path, expected);
  const shown = await describeTree(mount.merged);
  const wrong = compareTrees(shown, await describeTree(expected)).filter((line) => line.includes('sha256'));
  t.deepEqual(wrong, []);
  t.is(failures, kinds.length);
});

remote('a file whose bytes cannot be had gives EIO, others read, and all reads once they can', async (t) => {
  const { machine, registry, proxy, image } = await world(t, { CRFS_BACKGROUND: 'off' });
  const { path } = writeNastyTar(machine.directory('nasty'));
  await pushTars([path], `${registry.host}/nasty:1`);
  const mount = await machine.mount([image('nasty:1')]);
  proxy.fault = () => ({ kind: 'status', status: 404 });
  const large = join(mount.merged, 'sizes/noise');
  await t.throwsAsync(readFile(large), { code: 'EIO' });
  proxy.fault = () => undefined;
  t.is((await readFile(large)).length, 5 << 20);
});

for (const from of [0, 1]) {
  shared(
    `a mirror whose bytes are wrong ${from === 0 ? 'from the start' : 'behind the TOC'} is passed over`,
    async (t) => {
      const { machine, registry, proxy } = await world(t);
      const mirror = await startFaultProxy({ upstream: registry.url });
      t.teardown(() => mirror.close());
      const tar = join(machine.directory('tars'), 'a.tar');
      writeTar(
        tar,
        Array.from({ length: 20 }, (_, number) => ({ name: `file-${number}`, content: randomBytes(200_000) })),
      );
      await pushTars([tar], `${registry.host}/a:1`);
      const conf = `[[registry]]\nlocation = "${proxy.host}"\n[[registry.mirror]]\nlocation = "${mirror.host}"\n`;
      await writeFile(join(machine.directory('config/containers'), 'registries.conf'), conf);
      const plain = machine.directory('plain');
      await extractTar(tar, plain);
      let blobs = 0;
      mirror.fault = ({ path }) => (path.includes('/blobs/') && blobs++ >= from ? { kind: 'invert' } : undefined);
      const mount = await machine.mount([`docker://${proxy.host}/a:1`]);
      t.deepEqual(
        compareTrees(await describeTree(mount.merged), await describeTree(plain), { ignoreMtimeOf: ['.'] }),
        [],
      );
      t.true(blobs > from);
      t.true(blobRequests(proxy) > 0);
      t.like((await machine.status())?.counters, { errors: 0, digestErrors: 0 });
    },
  );
}
