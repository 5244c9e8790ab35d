// SPDX-License-Identifier: GPL-3.0-or-later

/** Layers in zstd:chunked that conversions write. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { LayerResult } from '../../src/main/convert/layer.js';
import { noise, text } from '../tools/content.js';
import { extractTar } from '../tools/extract.js';
import { writeNastyTar } from '../tools/nasty-tar.js';
import { sha256 } from '../tools/read-layer.js';
import { assembled, chunksOf, crc64, readZstdLayer, unzstd, type ZstdLayer } from '../tools/read-zstd-layer.js';
import { run } from '../tools/run.js';
import { type TarEntry, writeTar } from '../tools/tar-writer.js';
import { compareTrees, describeTree } from '../tools/tree.js';
import { convert, scratch } from './setting.js';

const isRoot = process.getuid?.() === 0;
const asRoot = isRoot ? test : test.skip;
if (!isRoot) console.log('skipped, needs root to extract owners and devices: the trees of converted tars');

const PREFIX = 'io.github.containers.zstd-chunked.';
const KIB = 1024;

interface Converted extends ZstdLayer {
  readonly result: LayerResult;
}

async function converted(tar: string, options: Parameters<typeof convert>[2] = {}): Promise<Converted> {
  const result = await convert(tar, `${tar}.zst`, { ...options, format: 'zstd:chunked' });
  return { ...readZstdLayer(`${tar}.zst`), result };
}

/** The annotations by which readers find all that a layer says. */
function annotationsOf(said: ZstdLayer['said']): Record<string, string> {
  return Object.fromEntries(Object.entries(said).map(([key, value]) => [PREFIX + key, value]));
}

/** The layer of these entries. */
async function layerOf(t: ExecutionContext, entries: readonly TarEntry[]): Promise<Converted> {
  const tar = join(scratch(t), 'a.tar');
  writeTar(tar, entries);
  return await converted(tar);
}

/** What is wrong with the chunks: each is a frame of its own, which ends where the next begins, or where is said. */
function checkFrames(layer: ZstdLayer, names: readonly string[]): string[] {
  const chunks = chunksOf(layer);
  return names.flatMap((name) => {
    const own = chunks.get(name) ?? [];
    const [first] = own;
    const parts = own.map(({ offset = 0, chunkSize, chunkDigest }, n) => {
      const end = own[n + 1]?.offset ?? first?.endOffset;
      const content = unzstd(layer.blob.subarray(offset, end));
      const isRight = chunkDigest === undefined ? own.length === 1 : sha256(content) === chunkDigest;
      return [content, isRight && (chunkSize ?? content.length) === content.length] as const;
    });
    const whole = Buffer.concat(parts.map(([content]) => content));
    const isWhole = whole.length === first?.size && sha256(whole) === first.digest;
    return isWhole && parts.every(([, isRight]) => isRight) ? [] : [name];
  });
}

for (const form of ['pax', 'gnu'] as const) {
  asRoot(`GNU tar extracts the same tree from a ${form} tar and from its layer in zstd:chunked`, async (t) => {
    const directory = scratch(t);
    const { path, impliedDirectories } = writeNastyTar(directory, form);
    const [before, after] = ['before', 'after'].map((name) => join(directory, name)) as [string, string];
    for (const made of [before, after]) mkdirSync(made);
    await extractTar(path, before);
    const layer = await converted(path);
    writeFileSync(join(directory, 'inflated.tar'), layer.tar);
    await extractTar(join(directory, 'inflated.tar'), after);
    const tree = await describeTree(after);
    t.true(tree.size > 100);
    t.deepEqual(compareTrees(tree, await describeTree(before), { ignoreMtimeOf: impliedDirectories }), []);
    t.deepEqual(checkFrames(layer, ['sizes/1', 'sizes/4194305', 'sizes/zeros', 'sizes/sparse', 'twice']), []);
    t.deepEqual(
      chunksOf(layer)
        .get('sizes/zeros')
        ?.map(({ chunkType }) => chunkType),
      ['zeros', 'zeros', undefined],
    );
  });
}

/** Of all types, with owners, times and attributes, as GNU tar writes them. */
async function makeDirectory(path: string): Promise<void> {
  mkdirSync(join(path, 'sub'), { recursive: true });
  writeFileSync(join(path, 'sub/large'), Buffer.concat([noise(700 * KIB), text(3)]));
  writeFileSync(join(path, 'a'.repeat(200)), 'a long name\n');
  writeFileSync(join(path, 'empty'), '');
  writeFileSync(join(path, 'ü'), 'text\n');
  const script = `cd "$1"; ln sub/large hard; ln -s sub/large soft; mkfifo fifo; chmod 4755 empty; touch -d @1.5 ü
    touch -d @0 empty; setfattr -n user.a -v b ü`;
  await run('sh', ['-ec', script, 'sh', path]);
}

for (const form of ['posix', 'gnu', 'ustar'] as const) {
  test(`what GNU tar wrote in its form ${form} is the same tar in zstd:chunked, and by tar-split`, async (t) => {
    const directory = scratch(t);
    await makeDirectory(join(directory, 'tree'));
    const tar = join(directory, 'a.tar');
    const more = form === 'posix' ? ['--xattrs'] : [];
    const exclude = form === 'ustar' ? ['--exclude=aaa*'] : [];
    await run('tar', ['-C', join(directory, 'tree'), `--format=${form}`, ...more, ...exclude, '-cf', tar, '.']);
    const layer = await converted(tar, { chunkSize: 256 * KIB });
    const original = readFileSync(tar);
    t.true(layer.tar.equals(original));
    t.is(layer.result.diffId, sha256(original));
    t.is(layer.result.digest, sha256(layer.blob));
    t.deepEqual(layer.result.warnings, []);
    t.deepEqual(checkFrames(layer, ['./sub/large', './ü']), []);
    const contents = chunksOf(layer);
    const contentOf = (name: string): Buffer => {
      const [first] = contents.get(name) ?? [];
      return unzstd(layer.blob.subarray(first?.offset, first?.endOffset));
    };
    t.true(assembled(layer.tarSplit ?? [], contentOf).equals(original));
    t.deepEqual(
      layer.tarSplit?.map(({ position }) => position),
      Array.from(layer.tarSplit ?? [], (_, n) => n),
    );
    t.deepEqual(
      layer.tarSplit?.filter(({ type }) => type === 1).map(({ name }) => name),
      layer.entries.filter(({ type }) => type !== 'chunk').map(({ name }) => name),
    );
  });
}

test('the TOC has names, modes and times as the headers have them, and what is said of it leads to it', async (t) => {
  const { entries, said, tarSplitDigest, result } = await layerOf(t, [
    { name: './', type: '5', mode: 0o40755 },
    { name: './sub//', type: '5', mode: 0o755 },
    { name: './sub/file', mode: 0o100644, mtime: 7, mtimeNsec: 5, content: 'x', xattrs: { 'user.a': 'b' } },
    { name: 'x', type: 'x', content: '11 atime=5\n14 ctime=6.25\n' },
    { name: 'hard', type: '1', linkname: './sub/file' },
    { name: 'empty' },
  ]);
  t.deepEqual(
    entries.map(({ name, mode, linkName, digest }) => [name, mode, linkName, digest?.slice(0, 7)]),
    [
      ['./', 0o40755, undefined, undefined],
      ['./sub//', 0o755, undefined, undefined],
      ['./sub/file', 0o100644, undefined, 'sha256:'],
      ['hard', 0o644, './sub/file', undefined],
      ['empty', 0o644, undefined, undefined],
    ],
  );
  t.like(entries[2], { size: 1, modtime: '1970-01-01T00:00:07.000000005Z', xattrs: { 'user.a': 'Yg==' } });
  t.like(entries[3], { accesstime: '1970-01-01T00:00:05Z', changetime: '1970-01-01T00:00:06.25Z' });
  t.is(said['tarsplit-checksum'], tarSplitDigest);
  t.is(said['manifest-checksum'], result.tocDigest);
  t.deepEqual(result.annotations, annotationsOf(said));
});

const odd: Readonly<Record<string, readonly [readonly TarEntry[], RegExp]>> = {
  'a name twice': [
    [{ name: 'a' }, { name: './a' }],
    /^"\.\/a" stands there twice: podman fetches no parts of the layer$/,
  ],
  'a directory twice': [
    [
      { name: 'a', type: '5' },
      { name: 'a/', type: '5' },
    ],
    /stands there twice/,
  ],
  'the root twice': [
    [
      { name: './', type: '5' },
      { name: '.', type: '5' },
    ],
    /stands there twice/,
  ],
  'a name that is not UTF-8': [[{ name: Buffer.of(0xfc) }], /"\\udcfc" is not UTF-8: podman/],
  'a target that is not UTF-8': [[{ name: 'a', type: '2', linkname: Buffer.of(0xfc) }], /"a" is not UTF-8: podman/],
  'a contiguous file': [[{ name: 'a', type: '7' }], /"a" has a header of an unusual kind: podman/],
  'an old directory': [[{ name: 'a/', type: '0' }], /header of an unusual kind/],
  'two long names': [
    [{ name: 'x', type: 'x', content: '10 path=b\n' }, { name: 'x', type: 'L', content: 'c\0' }, { name: 'a' }],
    /header of an unusual kind/,
  ],
  'a mode beyond modes': [[{ name: 'a', mode: 0o1000644 }], /header of an unusual kind/],
  'a link with a size': [
    [{ name: 'b' }, { name: 'x', type: 'x', content: '9 size=1\n' }, { name: 'a', type: '1', linkname: 'b' }],
    /header of an unusual kind/,
  ],
  'a file with a target': [
    [{ name: 'x', type: 'x', content: '14 linkpath=b\n' }, { name: 'a' }],
    /header of an unusual kind/,
  ],
  'the owner that is none': [[{ name: 'a', uid: 2 ** 32 - 1 }], /header of an unusual kind/],
  'an attribute that is none': [[{ name: 'a', xattrs: { 'user.x%3Dy': 'b' } }], /header of an unusual kind/],
  'a year beyond years': [
    [{ name: 'x', type: 'x', content: '22 mtime=999999999999\n' }, { name: 'a' }],
    /header of an unusual kind/,
  ],
  'an access beyond years': [
    [{ name: 'x', type: 'x', content: '22 atime=999999999999\n' }, { name: 'a' }],
    /header of an unusual kind/,
  ],
};
for (const [what, [entries, message]] of Object.entries(odd)) {
  test(`there is no tar-split with ${what}`, async (t) => {
    const { tarSplit, tarSplitDigest, said, result } = await layerOf(t, entries);
    t.is(tarSplit, undefined);
    t.is(tarSplitDigest, undefined);
    t.regex(result.warnings.find((line) => message.test(line)) ?? result.warnings.join('\n'), message);
    t.deepEqual(result.annotations, annotationsOf(said));
  });
}

test('the sums of tar-split are CRC-64 of ISO 3309', async (t) => {
  t.is(crc64(Buffer.from('123456789')), 0xb90956c775a41001n, 'what is known of it');
  const files = [1, 7, 8, 9, 16, 1000].map((size) => ({ name: `${size}`, content: noise(size) }));
  const { tarSplit = [] } = await layerOf(t, files);
  t.is(tarSplit.filter(({ type }) => type === 1).length, files.length);
  t.notThrows(() => assembled(tarSplit, (name) => noise(Number(name))));
});

test('the same tar is the same layer, on however many threads', async (t) => {
  const directory = scratch(t);
  const tar = join(directory, 'a.tar');
  writeTar(
    tar,
    Array.from({ length: 300 }, (_, n) => ({ name: `${n}`, content: n % 2 === 0 ? text(n * 100) : noise(n * 50, n) })),
  );
  const [one, two] = [await converted(tar, { workers: 1 }), await converted(tar, { workers: 3 })];
  t.is(one.result.digest, two.result.digest);
  const smaller = await converted(tar, { level: 19 });
  t.true(smaller.result.size < one.result.size);
});

test('a layer of nothing stays one of nothing, and one without its end stays so', async (t) => {
  const directory = scratch(t);
  const tar = join(directory, 'a.tar');
  writeTar(tar, [{ name: 'a', content: 'x' }]);
  for (const bytes of [Buffer.alloc(0), readFileSync(tar).subarray(0, 1024)]) {
    writeFileSync(tar, bytes);
    const layer = await converted(tar, { isWhole: true });
    t.true(layer.tar.equals(bytes));
    t.true(assembled(layer.tarSplit ?? [], () => Buffer.from('x')).equals(bytes));
    t.is(layer.tarSplit === undefined, bytes.length === 0, 'there is nothing to split');
  }
});
