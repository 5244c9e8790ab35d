// SPDX-License-Identifier: GPL-3.0-or-later

/** Layers in zstd:chunked, as skopeo writes them, and as nobody would. */

import { readFileSync, writeFileSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { handMade, zstd } from '../tools/compressed-stream.js';
import { noise, text } from '../tools/content.js';
import { extractTar } from '../tools/extract.js';
import { anyDriver, Machine, type Mount, mountingTest, top, whyNoMounts } from '../tools/machine.js';
import { writeNastyTar } from '../tools/nasty-tar.js';
import { sha256 } from '../tools/read-layer.js';
import { missing, type Registry, startRegistry } from '../tools/registry.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { type Fields, tocJson } from '../tools/toc.js';
import { compareTrees, describeTree, type Tree } from '../tools/tree.js';
import { type Chunk, filesInZstd, frame, layoutOf, pushZstdChunked, zstdChunked } from '../tools/zstd-chunked.js';

const why = whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined);
const shared = anyDriver();
const registryShared = anyDriver(why);
const once = mountingTest();

const ZSTD_LAYER = 'application/vnd.oci.image.layer.v1.tar+zstd';
const MIB = 1 << 20;

function makeMachine(t: ExecutionContext, settings: Record<string, string> = {}): Machine {
  const machine = new Machine(settings);
  t.teardown(() => machine.dispose());
  return machine;
}

async function makeRegistry(t: ExecutionContext, machine: Machine): Promise<Registry> {
  const registry = await startRegistry({ root: machine.directory('registry') });
  t.teardown(() => registry.stop());
  return registry;
}

/** A mount of a blob in a file. */
async function mounted(machine: Machine, blob: Buffer): Promise<string> {
  const path = join(machine.directory('layers'), 'layer.zst');
  writeFileSync(path, blob);
  return (await machine.mount([path])).merged;
}

/** The digest of the only layer of an image. */
async function layerOf(registry: Registry, name: string): Promise<string> {
  const { layers } = JSON.parse(
    String(await run('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${registry.host}/${name}`])),
  ) as { layers: { digest: string }[] };
  return layers[0]?.digest ?? '';
}

/** With the files that a writer is likely to get wrong: none, one chunk, several of any size, holes. */
function writeLargeTar(path: string): void {
  const holes = Buffer.concat([text(300_000), Buffer.alloc(3 * MIB), noise(200_000), Buffer.alloc(5000), text(10)]);
  writeTar(path, [
    { name: './', type: '5', mode: 0o755 },
    { name: 'holes', content: holes },
    { name: 'zeros', content: Buffer.alloc(100_000) },
    { name: 'empty', content: '' },
    { name: 'large', content: Buffer.concat([noise(2 * MIB), text(3 * MIB)]) },
    { name: 'byte', content: 'x' },
  ]);
}

registryShared(
  'layers that skopeo wrote read as GNU tar extracts their tars, by the network and in files',
  async (t) => {
    const machine = makeMachine(t);
    const registry = await makeRegistry(t, machine);
    const tars = machine.directory('tars');
    const nasty = writeNastyTar(tars);
    const basic = join(tars, 'basic.tar');
    writeFileSync(basic, await run('gzip', ['-dc', join(top, 'test/fixtures/interop/basic.tar.gz')]));
    const large = join(tars, 'large.tar');
    writeLargeTar(large);
    const timeless = ['.', 'run', 'usr', 'usr/bin', ...nasty.impliedDirectories];
    for (const [name, tar] of Object.entries({ basic, large, nasty: nasty.path })) {
      await pushZstdChunked([tar], `${registry.host}/${name}:1`, join(machine.directory('layouts'), name));
      const expected = machine.directory(`expected-${name}`);
      await extractTar(tar, expected);
      const want = asWritten(await describeTree(expected));
      const compare = async ({ merged }: Mount): Promise<string[]> => {
        const shown = await describeTree(merged, { readers: 16 });
        // the last entry of a directory wins with us, the first with GNU tar
        return compareTrees(shown, want, { ignoreMtimeOf: timeless }).filter((line) => !line.startsWith('"dot"'));
      };
      t.deepEqual(await compare(await machine.mount([`docker://${registry.host}/${name}:1`])), [], name);
      const path = join(machine.directory('files'), `${name}.zst`);
      writeFileSync(path, readFileSync(blobPath(registry, await layerOf(registry, `${name}:1`))));
      t.deepEqual(await compare(await machine.mount([path])), [], `${name}, a file`);
    }
    const { layers = [] } = (await machine.status()) ?? {};
    t.deepEqual([...new Set(layers.map(({ kind }) => kind))], ['zstd:chunked']);
    const verified = new Set(layers.map((layer) => layer.verified));
    t.deepEqual([...verified].sort(), ['the digests of its TOC', 'the digests of its manifest']);
  },
);

/** skopeo drops extended attributes of no bytes. */
function asWritten(tree: Tree): Tree {
  return new Map(
    Array.from(tree, ([path, entry]) => {
      const xattrs = Object.fromEntries(Object.entries(entry.xattrs).filter(([, value]) => value !== ''));
      return [path, { ...entry, xattrs }];
    }),
  );
}

function blobPath({ root }: Registry, digest: string): string {
  const hex = digest.slice('sha256:'.length);
  return join(root, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
}

const FILES: Readonly<Record<string, readonly Chunk[]>> = {
  one: [text(100_000)],
  chunks: [
    text(10),
    noise(300_000),
    { zeros: 2 * MIB },
    noise(9 * MIB, 2),
    { zeros: 1 },
    text(500_000),
    { zeros: 70_000 },
  ],
  zeros: [{ zeros: 3 * MIB }],
  'zeros first': [{ zeros: 4096 }, text(7)],
};

const CONTENTS = Object.entries(FILES).map(
  ([name, chunks]) =>
    [name, Buffer.concat(chunks.map((part) => ('zeros' in part ? Buffer.alloc(part.zeros) : part)))] as const,
);

for (const [how, compress] of [
  ['a raw frame', frame],
  ['a compressed frame', (content: Buffer) => zstd(content, '-3')],
  ['several frames', (content: Buffer) => Buffer.concat([frame(content.subarray(0, 5)), zstd(content.subarray(5))])],
] as const) {
  shared(`chunks of any size read, each in ${how}, and zeros without any`, async (t) => {
    const { blob } = filesInZstd(FILES, { compress });
    const merged = await mounted(makeMachine(t), blob);
    for (const [name, content] of CONTENTS) {
      t.true((await readFile(join(merged, name))).equals(content), name);
    }
  });
}

registryShared('an image without footers is mounted by what its manifest says of the TOC', async (t) => {
  const machine = makeMachine(t);
  const registry = await makeRegistry(t, machine);
  const { blob, position, digest } = filesInZstd(FILES, { footer: 'none' });
  const key = 'io.github.containers.zstd-chunked.manifest';
  const annotations = { [`${key}-checksum`]: digest, [`${key}-position`]: position };
  const layout = machine.directory('layout');
  layoutOf(layout, [{ mediaType: ZSTD_LAYER, bytes: blob, annotations, diffId: sha256(Buffer.of()) }]);
  const copy = ['--insecure-policy', 'copy', '-q', '--dest-tls-verify=false'];
  await run('skopeo', [...copy, `oci:${layout}:1`, `docker://${registry.host}/made:1`]);
  const { merged } = await machine.mount([`docker://${registry.host}/made:1`]);
  for (const [name, content] of CONTENTS) t.true((await readFile(join(merged, name))).equals(content), name);
  const { layers } = (await machine.status()) ?? {};
  t.is(layers?.[0]?.tocDigest, digest);
});

/** What one read of each file yields: an errno, or whether it is what it should be. */
async function outcomes(merged: string, files: Readonly<Record<string, Buffer>>): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [name, content] of Object.entries(files)) {
    found[name] = await readFile(join(merged, name)).then(
      (bytes) => (bytes.equals(content) ? 'right' : 'wrong'),
      (error: NodeJS.ErrnoException) => error.code ?? String(error),
    );
  }
  return found;
}

type Place = { readonly chunkType: string } | { readonly offset: number; readonly endOffset: number };

once('chunks that are not what the TOC says are EIO, and nobody else sees them', async (t) => {
  const machine = makeMachine(t, { CRFS_READAHEAD: '0' });
  const parts: Buffer[] = [Buffer.alloc(100)];
  const files: Record<string, Buffer> = {};
  const entries: Fields[] = [];
  /** A file, and the bytes of the blob that are to be it; a place of the blob, if there are none. */
  const add = (name: string, make: (content: Buffer) => Buffer | Place): number => {
    const content = Buffer.concat([Buffer.from(name), text(50_000)]); // no two are the same object
    const made = make(content);
    const offset = Buffer.concat(parts).length;
    const place: Place = 'length' in made ? { offset, endOffset: offset + made.length } : made;
    if ('length' in made) parts.push(made);
    entries.push({ type: 'reg', name, size: content.length, digest: sha256(content), ...place });
    files[name] = content;
    return offset;
  };
  const bomb = handMade(Array.from({ length: 200 }, () => ({ run: 1 << 17 })));
  const sound = ['right', 'more behind', 'right again'];
  add('right', (content) => zstd(content));
  const wrong = add('other bytes', (content) => frame(noise(content.length)));
  add('too little', (content) => frame(content.subarray(1)));
  add('cut off', (content) => zstd(content).subarray(0, -20));
  add('no frame', () => noise(5000));
  add('a window of 2 GiB', (content) => handMade([content], { windowLog: 31 }));
  add('gigabytes', () => Buffer.concat(Array.from({ length: 100 }, () => bomb)));
  add('zeros that are none', () => ({ chunkType: 'zeros' }));
  add('over others', () => ({ offset: wrong + 50, endOffset: wrong + 5000 }));
  add('more behind', (content) => Buffer.concat([zstd(content), frame(noise(3000))]));
  add('right again', (content) => zstd(content));
  const merged = await mounted(machine, zstdChunked(Buffer.concat(parts), tocJson(entries)).blob);
  t.deepEqual(
    await outcomes(merged, files),
    Object.fromEntries(Object.keys(files).map((name) => [name, sound.includes(name) ? 'right' : 'EIO'])),
  );
});

once('a file of zeros, larger than any disk, is read where somebody reads it', async (t) => {
  const machine = makeMachine(t);
  const tail = text(1000);
  const size = 2 ** 40 + tail.length;
  const content = Buffer.concat([Buffer.alloc(100), frame(tail)]);
  const entries = [
    {
      type: 'reg',
      name: 'f',
      size,
      chunkSize: tail.length,
      offset: 100,
      chunkDigest: sha256(tail),
      digest: sha256(tail),
    },
    {
      type: 'chunk',
      name: 'f',
      chunkOffset: tail.length,
      chunkSize: 2 ** 40,
      chunkType: 'zeros',
      chunkDigest: sha256(tail),
    },
  ];
  const merged = await mounted(machine, zstdChunked(content, tocJson(entries)).blob);
  const file = await open(join(merged, 'f'));
  t.teardown(() => file.close());
  t.is((await file.stat()).size, size);
  const bytes = Buffer.alloc(tail.length);
  await file.read(bytes, 0, bytes.length, 0);
  t.true(bytes.equals(tail));
});
