// SPDX-License-Identifier: GPL-3.0-or-later

/** Indexes that are made natively. That they are those that TypeScript makes, every test of an index shows: see `buildBoth`. */

import { deflateRawSync, gzipSync } from 'node:zlib';
import test from 'ava';
import { indexNatively } from '../tools/native-index.js';
import {
  blobOf,
  directory,
  estargzFooter,
  type Fields,
  file,
  indexOf,
  sha256,
  TOC_OFFSET,
  tailSource,
  tarOf,
  tocJson,
} from '../tools/toc.js';

const D = { digest: '' };
const chunks = (n: number): Fields[] =>
  Array.from({ length: n }, (_, i) => ({
    name: 'large',
    type: i === 0 ? 'reg' : 'chunk',
    ...(i === 0 ? { size: n * 10, digest: sha256('large') } : {}),
    offset: 500 + i,
    chunkOffset: i * 10,
    chunkSize: 10,
    chunkDigest: sha256(`${i}`),
  }));

const USUAL: Readonly<Record<string, readonly Fields[]>> = {
  'files of all types': [
    directory('./', { mode: 0o700, uid: 5, modtime: '2001-02-03T04:05:06.07Z', xattrs: { 'user.a': 'AAE=' } }),
    directory('a/', { xattrs: { 'user.b': '', 'user.a': null } }),
    file('a/b', 100, 'content', { uid: 2 ** 32 - 2, modtime: '2000-02-29T23:59:59Z' }),
    { name: 'a/link', type: 'hardlink', linkName: './a/b' },
    { name: 'a/link to it', type: 'hardlink', linkName: 'a/link' },
    { name: 'a/symlink', type: 'symlink', linkName: '../to/nowhere' },
    { name: 'a/tty', type: 'char', devMajor: 4, devMinor: 64, mode: 0o4620 },
    { name: 'a/disk', type: 'block', devMajor: 8 },
    { name: 'a/fifo', type: 'fifo' },
  ],
  'directories that are left out, and come later': [file('x/y/z', 100), directory('x/y', { mode: 0o711 })],
  'names that are to be cleaned': [file('./a//b/./c', 100), directory('/d/', {}), file('d/...', 300)],
  'names with escapes, and of other alphabets': [file('"\\\b\f\n\r\t/<&>', 10), file('日本語/🐳', 20)],
  'files of several chunks': chunks(5),
  'chunks of which one has no digest': chunks(3).map((entry, i) => (i === 1 ? { ...entry, chunkDigest: '' } : entry)),
  'files without a digest': [file('a', 100, 'a', D), file('b', 200, 'b', { ...D, innerOffset: 512 }), file('c', 0, '')],
  'files in another order than their bytes': [file('b', 200), file('a', 100), file('c', 200, 'c', { innerOffset: 9 })],
  landmarks: [file('first', 100), file('.prefetch.landmark', 200, 'x'), file('second', 300)],
  'no landmark': [file('.no.prefetch.landmark', 200, 'x'), file('second', 300)],
  'whiteouts that hide something below': [
    file('a/.wh.gone', 0, ''),
    file('a/.wh..wh..opq', 0, ''),
    file('.wh.b', 0, ''),
  ],
  'fields that are null, and some that nobody knows': [
    { ...directory('a'), uid: null, modtime: null, xattrs: null, NumLink: 2, userName: 'root', sparse: true },
  ],
};

for (const [what, entries] of Object.entries(USUAL)) {
  test(`makes the index natively: ${what}`, async (t) => {
    await indexOf(t, entries); // by both
    t.truthy(await indexNatively(await blobOf(tocJson(entries))));
  });
}

const LEFT: Readonly<Record<string, readonly Fields[]>> = {
  'a name that is there twice': [file('a', 100), file('a', 200)],
  'a symlink on the way': [{ name: 's', type: 'symlink', linkName: 'd' }, file('s/a', 100)],
  'a hardlink before its file': [{ name: 'l', type: 'hardlink', linkName: 'a' }, file('a', 100)],
  'a whiteout of what the layer itself has': [file('.wh.a', 0, ''), file('a', 100)],
  'something in a whiteout': [file('.wh.a/b', 100), file('a', 200)],
  'a whiteout of nothing': [file('a/.wh.', 0, ''), file('b', 100)],
  'a name that is not UTF-8': [file('\udc80', 100)],
  'chunks in another order': [...chunks(3).slice(0, 1), ...chunks(3).slice(1).toReversed()],
  'a time of another zone': [directory('a', { modtime: '2001-02-03T04:05:06+01:00' })],
  'xattrs whose names are numbers': [directory('a', { xattrs: { 2: '', 1: '' } })],
  'a field that is an object': [directory('a', { more: {} })],
  'no entries': [],
};

for (const [what, entries] of Object.entries(LEFT)) {
  test(`leaves it to TypeScript: ${what}`, async (t) => {
    await indexOf(t, entries);
    t.is(await indexNatively(await blobOf(tocJson(entries))), undefined);
  });
}

test('leaves to TypeScript what it refuses', async (t) => {
  const faults: readonly Fields[] = [
    { name: 'a' },
    { name: '', type: 'dir' },
    { name: '../a', type: 'dir' },
    { name: 'a', type: 'socket' },
    { name: 'x'.repeat(256), type: 'dir' },
    { name: 'a/'.repeat(2049), type: 'dir' },
    { name: 'a', type: 'symlink' },
    { name: 'a', type: 'hardlink', linkName: 'a' },
    { name: 'a', type: 'chunk' },
    directory('a', { uid: 2 ** 32 - 1 }),
    directory('a', { mode: -1 }),
    directory('a', { devMajor: 4096 }),
    directory('a', { modtime: '2001-02-29T00:00:00Z' }),
    directory('a', { digest: `sha256:${'A'.repeat(64)}` }),
    directory('a', { xattrs: { a: 'AA=' } }),
    directory('a', { xattrs: { a: 'AB==' } }),
    file('a', 0),
    file('a', TOC_OFFSET),
    file('a', 100, 'a', { size: 2 ** 40 }),
    file('a', 100, 'a', { chunkSize: 2 }),
    file('a', 100, 'ab', { chunkSize: 1 }),
    file('a', 100, 'a', { chunkDigest: sha256('b') }),
    file('a', 100, '', { digest: sha256('a') }),
  ];
  for (const entry of faults) {
    await t.throwsAsync(indexOf(t, [entry]), { code: 'CRFS_BAD_LAYER' }, JSON.stringify(entry));
    t.is(await indexNatively(await blobOf(tocJson([entry]))), undefined, JSON.stringify(entry));
  }
});

const GOOD = tocJson([directory('a'), file('b', 100)]);

async function ofText(text: string): Promise<Buffer> {
  return gzipSync(await tarOf([['stargz.index.json', text]]));
}

test('leaves to TypeScript what is no sound TOC, or an odd one', async (t) => {
  const tar = await tarOf([['stargz.index.json', GOOD]]);
  const odd = Buffer.from(tar);
  odd[150] = odd[150] === 0x30 ? 0x31 : 0x30; // of the header's sum
  const crc = gzipSync(tar);
  crc[crc.length - 8] = (crc[crc.length - 8] as number) ^ 1;
  const tocs = [
    gzipSync(tar).subarray(0, 100),
    gzipSync(await tarOf([['other.json', GOOD]])),
    gzipSync(Buffer.concat([tar.subarray(0, 1024), tar])),
    gzipSync(tar.subarray(0, 700)),
    gzipSync(odd),
    deflateRawSync(tar),
    crc,
    ...(await Promise.all([
      ofText(''),
      ofText(GOOD.slice(0, -1)),
      ofText(`${GOOD}x`),
      ofText(GOOD.replace('"version":1', '"version":2')),
      ofText(GOOD.replace('"version":1,', '')),
      ofText(GOOD.replace('"version":1,', '"version":1,"entries":[],')),
      ofText(GOOD.replace('100', '0100')),
      ofText(GOOD.replace('100', '1e2')),
      ofText(GOOD.replace('"a"', '"\t"')),
      ofText(GOOD.replace('"a"', '"\\x"')),
      ofText(GOOD.replace('"a"', '"a",')),
      ofText(GOOD.replace('"a"', '"\\u0000"')),
    ])),
  ];
  for (const [i, toc] of tocs.entries()) {
    const blob = tailSource(Buffer.concat([toc, estargzFooter()]));
    t.is(await indexNatively(blob), undefined, `${i}`);
  }
  t.truthy(await indexNatively(await blobOf(GOOD)));
});

test('leaves to TypeScript text that is not UTF-8', async (t) => {
  for (const bytes of ['\xff', '\xc0\xaf', '\xe0\x80\xaf', '\xed\xa0\x80', '\xf4\x90\x80\x80', '\xe6\x97', '\x80']) {
    const text = Buffer.from(GOOD.replace('"a"', `"${bytes}"`), 'latin1');
    t.is(await indexNatively(await blobOf(text)), undefined, Buffer.from(bytes, 'latin1').toString('hex'));
  }
  t.truthy(await indexNatively(await blobOf(GOOD.replace('"a"', '"\u07ff\uffff\u{10ffff}"'))));
});

test('text is read across the pieces that it comes in', async (t) => {
  const entries = Array.from({ length: 6000 }, (_, i) => {
    const xattrs = { 'user.long': Buffer.alloc(i % 1000 === 7 ? 65536 : i % 50, i).toString('base64') };
    return file(`d${i % 97}/${'日'.repeat(i % 80)}${i}`, 100 + i, `${i}`, { xattrs });
  });
  await indexOf(t, entries, 2 ** 40);
  const blob = await blobOf(tocJson(entries), 2 ** 40);
  t.truthy(await indexNatively(blob));
  t.is(await indexNatively(blob, 'blob', 1 << 20), undefined, 'it takes no more memory than it may');
});

test('spaces between all parts of the text are as good as none', async (t) => {
  const text = JSON.stringify(JSON.parse(GOOD), null, ' \t\r\n');
  const [spaced, plain] = [await indexNatively(await blobOf(`\n${text}\n `)), await indexNatively(await blobOf(GOOD))];
  t.is(spaced?.bytes.length, plain?.bytes.length);
  t.truthy(spaced);
});
