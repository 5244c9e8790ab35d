// SPDX-License-Identifier: GPL-3.0-or-later

/** Which files a layer shows: parents, duplicates, landmarks, whiteouts, and what of each. */

import test from 'ava';
import type { IndexReader } from '../../src/main/index/reader.js';
import { entriesOf, headerOf } from '../tools/index-facts.js';
import { blobOf, directory, type Fields, file, indexBlob, indexOf, sha256, tocJson } from '../tools/toc.js';

function paths(index: IndexReader): string[] {
  return Array.from(entriesOf(index), ({ path }) => path);
}

function modeAt(index: IndexReader, path: string): string {
  return index.mode(index.find(path)).toString(8);
}

test('an empty layer is an empty root', async (t) => {
  const { index, summary, bytes } = await indexOf(t, []);
  t.is(index.inodes, 1);
  t.is(headerOf(bytes).dirents, 0);
  t.is(index.chunks, 0);
  t.is(index.mode(0), 0o40755);
  t.is(index.nlink(0), 2);
  t.is(index.path(0), '');
  t.is(index.find(''), 0);
  t.is(index.find('x'), -1);
  t.deepEqual(paths(index), []);
  t.is(summary.inodes, 1);
  t.is(summary.files, 0);
});

test('every type of file comes with its own facts', async (t) => {
  const facts = {
    uid: 2 ** 32 - 3,
    gid: 2 ** 32 - 2,
    modtime: '1969-12-31T23:59:58.75Z',
    xattrs: { 'user.k': 'AP8=' },
  };
  const { index } = await indexOf(t, [
    { name: 'dir', type: 'dir', mode: 0o41777, ...facts },
    { ...file('reg', 100, 'hello'), mode: 0o4755, ...facts },
    { name: 'link', type: 'symlink', linkName: '../ä/', mode: 0o644, ...facts },
    { name: 'char', type: 'char', mode: 0o666, devMajor: 1, devMinor: 2 ** 20 - 1, ...facts },
    { name: 'block', type: 'block', mode: 0o660, devMajor: 259, devMinor: 3, ...facts },
    { name: 'fifo', type: 'fifo', mode: 0o600, ...facts },
  ]);
  t.deepEqual(paths(index), ['block', 'char', 'dir', 'fifo', 'link', 'reg']);
  t.is(modeAt(index, 'dir'), '41777');
  t.is(modeAt(index, 'reg'), '104755');
  t.is(modeAt(index, 'link'), '120777');
  t.is(modeAt(index, 'char'), '20666');
  t.is(modeAt(index, 'block'), '60660');
  t.is(modeAt(index, 'fifo'), '10600');
  t.is(index.target(index.find('link')), '../ä/');
  t.is(index.size(index.find('link')), 6);
  t.is(index.size(index.find('reg')), 5);
  t.is(index.size(index.find('dir')), 0);
  t.is(index.major(index.find('char')), 1);
  t.is(index.minor(index.find('char')), 2 ** 20 - 1);
  t.is(index.major(index.find('block')), 259);
  for (const name of paths(index)) {
    const inode = index.find(name);
    t.is(index.uid(inode), 2 ** 32 - 3);
    t.is(index.gid(inode), 2 ** 32 - 2);
    t.is(index.mtimeSeconds(inode), -2);
    t.is(index.mtimeNanoseconds(inode), 750_000_000);
    t.deepEqual(index.xattrs(inode), [{ name: 'user.k', value: Buffer.from([0, 255]) }]);
  }
});

test('times reach from the year 0 to 9999', async (t) => {
  const { index } = await indexOf(t, [
    directory('a', { modtime: '0000-01-01T00:00:00Z' }),
    directory('b', { modtime: '9999-12-31T23:59:59.999999999Z' }),
  ]);
  t.is(index.mtimeSeconds(index.find('a')), -62_167_219_200);
  t.is(index.mtimeSeconds(index.find('b')), 253_402_300_799);
  t.is(index.mtimeNanoseconds(index.find('b')), 999_999_999);
});

test('an entry for the root tells its facts', async (t) => {
  const { index } = await indexOf(t, [directory('./', { mode: 0o1700, uid: 5, xattrs: { k: '' } }), directory('a')]);
  t.is(index.mode(0), 0o41700);
  t.is(index.uid(0), 5);
  t.deepEqual(index.xattrs(0), [{ name: 'k', value: Buffer.alloc(0) }]);
  t.is(index.nlink(0), 3);
});

test('parents that the layer leaves out are made, for root', async (t) => {
  const { index } = await indexOf(t, [file('./a/b/c/f', 10), file('a/b/g', 20)]);
  t.deepEqual(paths(index), ['a', 'a/b', 'a/b/c', 'a/b/c/f', 'a/b/g']);
  for (const path of ['a', 'a/b', 'a/b/c']) {
    t.is(modeAt(index, path), '40755');
    t.is(index.uid(index.find(path)), 0);
    t.is(index.mtimeSeconds(index.find(path)), 0);
  }
});

test('an entry for a parent that was made already tells its facts', async (t) => {
  const { index } = await indexOf(t, [file('a/f', 10), directory('a', { mode: 0o700, uid: 3 })]);
  t.is(modeAt(index, 'a'), '40700');
  t.is(index.uid(index.find('a')), 3);
  t.deepEqual(paths(index), ['a', 'a/f']);
});

test('a directory of 4095 bytes of path and 2047 parents is taken', async (t) => {
  const deep = 'a/'.repeat(2047) + 'b';
  const { index } = await indexOf(t, [file(deep, 10, 'x')]);
  t.is(index.inodes, 2049);
  t.is(index.path(index.find(deep)), deep);
  t.true(index.isDirectory(index.find('a/'.repeat(2046) + 'a')));
});

test('names of any bytes sort by their bytes, also where UTF-16 sorts otherwise', async (t) => {
  const names = ['\uffee', '🐳', 'a', 'A', 'a b', 'a\n', 'ab', '~', '\u0001', 'é', '...'];
  const { index } = await indexOf(
    t,
    names.map((name) => directory(name)),
  );
  const sorted = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  t.deepEqual(paths(index), sorted);
  for (const name of names) t.is(index.path(index.find(name)), name);
});

test('a name may be __proto__', async (t) => {
  const { index } = await indexOf(t, [file('__proto__/constructor', 10)]);
  t.deepEqual(paths(index), ['__proto__', '__proto__/constructor']);
});

test('inodes stand in the order of the TOC, and directories count their subdirectories as links', async (t) => {
  const { index } = await indexOf(t, [directory('z'), directory('z/y'), directory('z/x'), file('a', 10)]);
  t.deepEqual(
    [1, 2, 3, 4].map((inode) => index.path(inode)),
    ['z', 'z/y', 'z/x', 'a'],
  );
  t.is(index.nlink(index.find('z')), 4);
  t.is(index.nlink(index.find('z/y')), 2);
  t.is(index.nlink(0), 3);
});

test('children lists one directory', async (t) => {
  const { index } = await indexOf(t, [file('d/b', 10), file('d/a', 20), file('e', 30)]);
  const children = (path: string) => Array.from(index.children(index.find(path)), (entry) => entry.path);
  t.deepEqual(children(''), ['d', 'e']);
  t.deepEqual(children('d'), ['d/a', 'd/b']);
});

test('equal paths: the last file wins', async (t) => {
  const { index, summary } = await indexOf(t, [file('f', 10, 'old'), file('./f', 20, 'newer')]);
  t.is(index.inodes, 2);
  t.is(index.size(index.find('f')), 5);
  t.is(index.chunks, 1);
  t.is(index.chunkOffset(index.chunkFirst(index.find('f'))), 20);
  t.is(summary.contentSize, 5);
});

test('a file replaced by a symlink, a device or a directory is gone', async (t) => {
  const { index } = await indexOf(t, [
    file('a', 10),
    file('b', 20),
    file('c', 30),
    { name: 'a', type: 'symlink', linkName: 'b' },
    { name: 'b', type: 'char', devMajor: 5 },
    directory('c'),
    file('c/f', 40),
  ]);
  t.is(modeAt(index, 'a'), '120777');
  t.is(modeAt(index, 'b'), '20000');
  t.deepEqual(paths(index), ['a', 'b', 'c', 'c/f']);
  t.is(index.inodes, 5);
});

test('a directory named twice takes the facts of the last, and keeps what it holds', async (t) => {
  const { index } = await indexOf(t, [
    directory('d', { mode: 0o700, xattrs: { a: '' } }),
    file('d/f', 10),
    directory('d', { mode: 0o750, xattrs: { b: '' } }),
  ]);
  t.is(modeAt(index, 'd'), '40750');
  t.deepEqual(
    index.xattrs(index.find('d')).map(({ name }) => name),
    ['b'],
  );
  t.deepEqual(paths(index), ['d', 'd/f']);
});

test('an empty directory is replaced by a file', async (t) => {
  const { index } = await indexOf(t, [directory('d'), file('d', 10)]);
  t.is(modeAt(index, 'd'), '100000');
  t.is(index.inodes, 2);
  t.is(index.nlink(0), 2);
});

test('whiteouts and opaque marks stay as they are', async (t) => {
  const { index } = await indexOf(t, [
    { name: '.wh.gone', type: 'reg' },
    { name: 'd/.wh..wh..opq', type: 'reg' },
    { name: 'null', type: 'char' },
  ]);
  t.deepEqual(paths(index), ['.wh.gone', 'd', 'd/.wh..wh..opq', 'null']);
});

test('an entry wins over the whiteout of its name, wherever that stands', async (t) => {
  const { index } = await indexOf(t, [
    { name: '.wh.a', type: 'reg' },
    file('a', 10),
    file('d/b', 20),
    { name: 'd/.wh.b', type: 'reg' },
    { name: '.wh.b', type: 'reg' },
    { name: '.wh.d', type: 'char' },
  ]);
  t.deepEqual(paths(index), ['.wh.b', 'a', 'd', 'd/b']);
  t.is(index.find('.wh.a'), -1);
  t.is(index.inodes, 5);
});

test('a whiteout that is a directory loses with all that it holds, and one of no name hides nothing', async (t) => {
  const { index } = await indexOf(t, [
    file('.wh.a/b/c', 10),
    file('a', 20),
    { name: '.wh.', type: 'reg' },
    { name: 'd/.wh.', type: 'dir' },
    { name: '.wh.gone/held', type: 'reg' },
  ]);
  t.deepEqual(paths(index), ['.wh.gone', '.wh.gone/held', 'a', 'd']);
});

test('a whiteout that loses against its entry lives on under a hardlink of another name', async (t) => {
  const { index } = await indexOf(t, [
    { name: '.wh.a', type: 'reg' },
    file('a', 10),
    { name: 'kept', type: 'hardlink', linkName: '.wh.a' },
  ]);
  t.deepEqual(paths(index), ['a', 'kept']);
  t.is(index.nlink(index.find('kept')), 1);
});

test('the prefetch landmark is hidden, and tells what is wanted at start', async (t) => {
  const { index } = await indexOf(t, [file('a', 100), file('.prefetch.landmark', 300, '\x0f'), file('b', 400)]);
  t.deepEqual(paths(index), ['a', 'b']);
  t.is(index.prefetchEnd, 300);
  t.is(index.chunkEnd(index.chunkFirst(index.find('a'))), 300);
});

test('the landmark of no prefetch is hidden, and wins', async (t) => {
  const { index } = await indexOf(t, [
    file('.no.prefetch.landmark', 100, '\x0f'),
    file('a', 200),
    file('.prefetch.landmark', 300, '\x0f'),
  ]);
  t.deepEqual(paths(index), ['a']);
  t.is(index.prefetchEnd, 0);
});

test('a landmark elsewhere than in the root is a file', async (t) => {
  const { index } = await indexOf(t, [file('d/.prefetch.landmark', 100, '\x0f')]);
  t.deepEqual(paths(index), ['d', 'd/.prefetch.landmark']);
  t.is(index.prefetchEnd, 0);
});

test('inode numbers are unique to the layer: bit 63, 39 bits of its key, 24 bits free', async (t) => {
  const { bytes, summary } = await indexOf(t, [file('a', 10)]);
  const { inoBase } = headerOf(bytes);
  t.is(inoBase >> 63n, 1n);
  t.is(inoBase & 0xffffffn, 0n);
  t.is((inoBase >> 24n) & ((1n << 39n) - 1n), Buffer.from(summary.key, 'hex').readBigUInt64LE() & ((1n << 39n) - 1n));
});

test('the summary tells the digest of the JSON, by which the index goes', async (t) => {
  const json = tocJson([file('a', 10, 'abc'), file('b', 20, 'de'), directory('d')]);
  const { bytes, index, summary } = await indexBlob(t, await blobOf(json));
  const digest = sha256(json).slice('sha256:'.length);
  t.is(headerOf(bytes).key, digest);
  t.deepEqual(summary, {
    tocDigest: digest,
    tocOffset: 1_000_000,
    kind: 'estargz',
    inodes: 4,
    files: 2,
    contentSize: 5,
    unverified: false,
    key: digest,
  });
  t.is(index.contentSize, 5);
});

const refused: readonly (readonly [what: string, entries: readonly Fields[], message: string])[] = [
  ['a file as the root', [{ name: './', type: 'reg' }], 'the root is of type reg, not dir'],
  [
    'a hardlink as the root',
    [file('a', 10), { name: '/', type: 'hardlink', linkName: 'a' }],
    'the root is of type hardlink, not dir',
  ],
  ['a file as a parent', [file('a', 10), file('a/b', 20)], 'entry "a/b": "a" is no directory'],
  ['a file as a far parent', [file('a/b', 10), file('a/b/c/d', 20)], 'entry "a/b/c/d": "a/b" is no directory'],
  [
    'a file behind a symlink as a parent',
    [{ name: 'a', type: 'symlink', linkName: '/b' }, file('b', 10), file('a/f', 20)],
    'entry "b/f": "b" is no directory',
  ],
  [
    'symlinks in circles as parents',
    [symlink('a', 'b'), symlink('b', 'a'), file('a/f', 10)],
    'entry "a/f": more than 40 symlinks on the way',
  ],
  [
    'a symlink as a parent that leads to a name too long',
    [symlink('a', 'n'.repeat(256)), file('a/f', 10)],
    'entry "a/f": what its symlinks lead to has a part longer than 255 bytes',
  ],
  [
    'two files whose names may have been two, and no UTF-8',
    [file('caf\ufffd', 10), file('caf\ufffd', 20)],
    'entry "caf\ufffd" is there twice; two names that are not UTF-8 may have become one: convert the original by `crfs stargzify`',
  ],
  [
    'a hardlink as a parent',
    [file('x', 10), { name: 'a', type: 'hardlink', linkName: 'x' }, file('a/f', 20)],
    'entry "a/f": "a" is no directory',
  ],
  ['an entry that breaks a rule of its own', [directory('a/../b')], `entry "a/../b": name holds a '..' part`],
];

function symlink(name: string, linkName: string): Fields {
  return { name, type: 'symlink', linkName };
}

/** So many symlinks, each to the next, and the last to a directory. */
function chain(count: number): Fields[] {
  return Array.from({ length: count }, (_, n) => symlink(`s${n}`, n + 1 === count ? 'd' : `s${n + 1}`));
}

test('as many symlinks are followed on the way to a file as Linux follows', async (t) => {
  const { index } = await indexOf(t, [directory('d'), ...chain(40), file('s0/f', 10)]);
  t.true(index.find('d/f') >= 0);
  await t.throwsAsync(indexOf(t, [directory('d'), ...chain(41), file('s0/f', 10)]), {
    code: 'CRFS_BAD_LAYER',
    message: /more than 40 symlinks on the way$/,
  });
});

const shown: readonly [what: string, entries: Fields[], paths: string[]][] = [
  [
    'behind a symlink',
    [directory('usr/lib'), symlink('lib', 'usr/lib'), file('lib/x', 10)],
    ['lib', 'usr', 'usr/lib', 'usr/lib/x'],
  ],
  [
    'behind a symlink to what is not there',
    [symlink('lib', 'usr/lib'), file('lib/x', 10)],
    ['lib', 'usr', 'usr/lib', 'usr/lib/x'],
  ],
  [
    'behind an absolute symlink, and never outside',
    [symlink('a', '/../../etc'), file('a/passwd', 10)],
    ['a', 'etc', 'etc/passwd'],
  ],
  ['behind a symlink to the root', [symlink('d/a', '..'), file('d/a/f', 10)], ['d', 'd/a', 'f']],
  [
    'behind symlinks in a symlink',
    [symlink('a', 'b/../c'), symlink('b', 'd/e'), directory('d/e'), file('a/f', 10)],
    ['a', 'b', 'd', 'd/c', 'd/c/f', 'd/e'],
  ],
  [
    'of a hardlink behind symlinks',
    [directory('d'), symlink('s', 'd'), file('s/f', 10), { name: 's/h', type: 'hardlink', linkName: 's/f' }],
    ['d', 'd/f', 'd/h', 's'],
  ],
  [
    'behind a hardlink to a symlink',
    [symlink('a', 'b'), { name: 'h', type: 'hardlink', linkName: 'a' }, file('h/f', 10)],
    ['a', 'b', 'b/f', 'h'],
  ],
  ['of a directory in place of the symlink', [symlink('a', 'b'), directory('a'), file('a/f', 10)], ['a', 'a/f']],
  [
    'of a symlink in place of all that a directory holds',
    [file('d/e/f', 10), symlink('d', 'x'), file('g', 20)],
    ['d', 'g'],
  ],
  [
    'of a directory that is made anew',
    [file('d/e/f', 10), symlink('d', 'x'), directory('d'), file('d/e/g', 20)],
    ['d', 'd/e', 'd/e/g'],
  ],
  [
    'of a hardlink to what a directory held',
    [file('d/f', 10), { name: 'd', type: 'hardlink', linkName: 'd/f' }],
    ['d'],
  ],
];

for (const [what, entries, wanted] of shown) {
  test(`shows what an extraction shows ${what}`, async (t) => {
    const { index } = await indexOf(t, entries);
    t.deepEqual(paths(index).sort(), wanted);
  });
}

test('a hardlink keeps what it leads to when the directory above that is replaced', async (t) => {
  const { index } = await indexOf(t, [
    file('d/f', 10, 'kept'),
    { name: 'h', type: 'hardlink', linkName: 'd/f' },
    symlink('d', 'elsewhere'),
  ]);
  t.deepEqual(paths(index), ['d', 'h']);
  t.is(index.size(index.find('h')), 4);
  t.is(index.nlink(index.find('h')), 1);
});

test('names that are not UTF-8 are kept apart', async (t) => {
  const { index } = await indexOf(t, [
    file('caf\udce9', 10, 'acute'),
    file('caf\udce8', 20, 'grave'),
    symlink('s', 'caf\udce9'),
    { name: 'h', type: 'hardlink', linkName: 'caf\udce9' },
  ]);
  t.deepEqual(paths(index), ['caf\udce8', 'caf\udce9', 'h', 's']);
  t.is(index.find('h'), index.find('caf\udce9'));
  t.is(index.target(index.find('s')), 'caf\udce9');
});

test('the mark of an opaque directory is no whiteout of the name behind its first four letters', async (t) => {
  const { index } = await indexOf(t, [file('d/.wh..wh..opq', 0, ''), file('d/.wh..opq', 0, ''), file('d/f', 10)]);
  t.deepEqual(paths(index), ['d', 'd/.wh..opq', 'd/.wh..wh..opq', 'd/f']);
});

for (const [what, entries, message] of refused) {
  test(`refuses ${what}`, async (t) => {
    await t.throwsAsync(() => indexOf(t, entries), { code: 'CRFS_BAD_LAYER', message: `layer: ${message}` });
  });
}

test('refuses a layer whose few entries stand for very many parents that it leaves out', async (t) => {
  const entries = Array.from({ length: 100 }, (_, i) => file(`${i}/${'a/'.repeat(2000)}f`, 10));
  await t.throwsAsync(() => indexOf(t, entries), {
    code: 'CRFS_BAD_LAYER',
    message: /^layer: leaves out the parents of too many files: \d{5}$/,
  });
});

test('refuses more entries than the blob can hold headers of', async (t) => {
  const entries = Array.from({ length: 2016 }, (_, i) => directory(`d${i}`));
  const { index } = await indexOf(t, entries.slice(1), 1000);
  t.is(index.inodes, 2016);
  await t.throwsAsync(() => indexOf(t, entries, 1000), {
    code: 'CRFS_BAD_LAYER',
    message: 'layer: the TOC lists more entries than 1000 bytes of content can hold',
  });
});
