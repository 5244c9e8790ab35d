// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import type { Xattr } from '../../../src/main/formats/entry.js';
import { LayerFault } from '../../../src/main/formats/fault.js';
import { readEntry } from '../../../src/main/formats/json-toc/entry.js';
import { type Fields, sha256 } from '../../tools/toc.js';

const DIGEST = sha256('x');
const HEX = DIGEST.slice('sha256:'.length);
const reg = (more: Fields): unknown => ({ name: 'f', type: 'reg', ...more });

test('an entry of a name and a type alone has every other field empty', (t) => {
  t.deepEqual(readEntry(reg({})), {
    type: 'reg',
    path: 'f',
    mode: 0,
    uid: 0,
    gid: 0,
    modtime: { seconds: 0, nanoseconds: 0 },
    link: '',
    devMajor: 0,
    devMinor: 0,
    xattrs: [],
    size: 0,
    digest: '',
    offset: 0,
    endOffset: 0,
    innerOffset: 0,
    chunkOffset: 0,
    chunkSize: 0,
    chunkDigest: '',
    isZeros: false,
  });
});

test('takes every field of a file', (t) => {
  const entry = readEntry({
    name: './d/f',
    type: 'reg',
    size: 2 ** 53 - 1,
    modtime: '2017-07-14T02:40:00.5Z',
    mode: 0o104755,
    uid: 2 ** 32 - 2,
    gid: 7,
    userName: 'root',
    groupName: 'root',
    offset: 2 ** 40,
    innerOffset: 512,
    chunkOffset: 1,
    chunkSize: 2,
    digest: DIGEST,
    chunkDigest: sha256('y'),
    xattrs: { 'user.k': 'dg==', 'user.empty': '', __proto__: null },
    NumLink: -3,
    unknown: { to: ['us'] },
  });
  t.is(entry.path, 'd/f');
  t.is(entry.size, 2 ** 53 - 1);
  t.deepEqual(entry.modtime, { seconds: 1_500_000_000, nanoseconds: 500_000_000 });
  t.is(entry.mode, 0o4755);
  t.is(entry.uid, 2 ** 32 - 2);
  t.is(entry.gid, 7);
  t.is(entry.offset, 2 ** 40);
  t.is(entry.innerOffset, 512);
  t.is(entry.chunkOffset, 1);
  t.is(entry.chunkSize, 2);
  t.is(entry.digest, HEX);
  t.is(`sha256:${entry.chunkDigest}`, sha256('y'));
  t.deepEqual(entry.xattrs, [
    { name: 'user.k', value: Buffer.from('v') },
    { name: 'user.empty', value: Buffer.alloc(0) },
  ]);
});

test('null fields are absent fields', (t) => {
  t.deepEqual(readEntry(reg({ size: null, modtime: null, digest: null, xattrs: null })), readEntry(reg({})));
});

test('masks the bits of the mode that are not permissions', (t) => {
  t.is(readEntry(reg({ mode: 2 ** 31 + 0o644 })).mode, 0o644);
});

test('keeps a symlink target as it is, and cleans that of a hardlink', (t) => {
  t.is(readEntry({ name: 'l', type: 'symlink', linkName: '../x//./y/' }).link, '../x//./y/');
  t.is(readEntry({ name: 'l', type: 'hardlink', linkName: './x//y' }).link, 'x/y');
});

test('an xattr may be called __proto__', (t) => {
  const entry = readEntry(JSON.parse('{"name":"f","type":"reg","xattrs":{"__proto__":"dg=="}}'));
  t.deepEqual(entry.xattrs, [{ name: '__proto__', value: Buffer.from('v') }]);
});

function xattrOf(name: string, size: number): Xattr | undefined {
  return readEntry({ name: 'a', type: 'dir', xattrs: { [name]: Buffer.alloc(size).toString('base64') } }).xattrs[0];
}

test('an xattr may have as many bytes as Linux takes, and a name as many', (t) => {
  t.is(xattrOf('user.a', 65_536)?.value.length, 65_536);
  t.is(xattrOf('x'.repeat(255), 1)?.name.length, 255);
  t.throws(() => xattrOf('user.a', 65_537), { instanceOf: LayerFault });
  t.throws(() => xattrOf('x'.repeat(256), 1), { instanceOf: LayerFault });
});

test('the value of an xattr may be null, and its base64 have line ends', (t) => {
  const entry = readEntry(reg({ xattrs: { 'user.none': null, 'user.long': 'YWJj\nZGVm\r\nZw==\n' } }));
  t.deepEqual(entry.xattrs, [
    { name: 'user.none', value: Buffer.alloc(0) },
    { name: 'user.long', value: Buffer.from('abcdefg') },
  ]);
});

test('a chunk needs no name', (t) => {
  t.is(readEntry({ type: 'chunk', offset: 5 }).path, '');
});

const INTEGER = 'not an integer from 0 to 9007199254740991';
const ID = 'not an integer from 0 to 4294967294';

for (const [fields, message] of [
  [reg({ size: -1 }), `size is -1, ${INTEGER}`],
  [reg({ size: 1.5 }), `size is 1.5, ${INTEGER}`],
  [reg({ size: 2 ** 53 }), `size is 9007199254740992, ${INTEGER}`],
  [reg({ size: Number.POSITIVE_INFINITY }), `size is Infinity, ${INTEGER}`],
  [reg({ size: '1' }), `size is "1", ${INTEGER}`],
  [reg({ size: { toString: 1 } }), `size is {"toString":1}, ${INTEGER}`],
  [reg({ size: true }), `size is true, ${INTEGER}`],
  [reg({ offset: -1 }), `offset is -1, ${INTEGER}`],
  [reg({ innerOffset: 0.1 }), `innerOffset is 0.1, ${INTEGER}`],
  [reg({ chunkOffset: -5 }), `chunkOffset is -5, ${INTEGER}`],
  [reg({ chunkSize: [] }), `chunkSize is [], ${INTEGER}`],
  [reg({ mode: -1 }), `mode is -1, ${INTEGER}`],
  [reg({ uid: 2 ** 32 - 1 }), `uid is 4294967295, ${ID}`],
  [reg({ gid: -1 }), `gid is -1, ${ID}`],
  [reg({ devMajor: 4096 }), 'devMajor is 4096, not an integer from 0 to 4095'],
  [reg({ devMinor: 2 ** 20 }), 'devMinor is 1048576, not an integer from 0 to 1048575'],
  [reg({ digest: HEX }), `digest is "${HEX}", not sha256: and 64 hex digits`],
  [reg({ digest: DIGEST.toUpperCase() }), `digest is "${DIGEST.toUpperCase()}", not sha256: and 64 hex digits`],
  [reg({ digest: `${DIGEST}0` }), `digest is "${DIGEST}0", not sha256: and 64 hex digits`],
  [
    reg({ digest: DIGEST.replace(/.$/, 'g') }),
    `digest is "${DIGEST.replace(/.$/, 'g')}", not sha256: and 64 hex digits`,
  ],
  [reg({ digest: 'sha512:00' }), 'digest is "sha512:00", not sha256: and 64 hex digits'],
  [reg({ digest: 5 }), 'digest is 5, not a text'],
  [reg({ chunkDigest: 'sha256:' }), 'chunkDigest is "sha256:", not sha256: and 64 hex digits'],
  [reg({ modtime: 'now' }), 'modtime is "now", not an RFC 3339 time'],
  [reg({ modtime: 0 }), 'modtime is 0, not a text'],
  [reg({ xattrs: 'a' }), 'xattrs is no object'],
  [reg({ xattrs: ['dg=='] }), 'xattrs is no object'],
  [reg({ xattrs: { k: 'dg' } }), 'xattr "k" is not padded standard base64'],
  [reg({ xattrs: { k: '_-8=' } }), 'xattr "k" is not padded standard base64'],
  [reg({ xattrs: { k: 'dh==' } }), 'xattr "k" is not padded standard base64'],
  [reg({ xattrs: { k: 'd g==' } }), 'xattr "k" is not padded standard base64'],
  [reg({ xattrs: { k: 1 } }), 'xattr "k" is not padded standard base64'],
  [reg({ xattrs: { k: [] } }), 'xattr "k" is not padded standard base64'],
  [reg({ xattrs: { '': 'dg==' } }), 'xattr "" has a name that is empty, holds a NUL or is over 255 bytes'],
  [reg({ xattrs: { 'a\0': 'dg==' } }), 'xattr "a\\u0000" has a name that is empty, holds a NUL or is over 255 bytes'],
  [
    reg({ xattrs: { ['é'.repeat(128)]: '' } }),
    `xattr "${'é'.repeat(128)}" has a name that is empty, holds a NUL or is over 255 bytes`,
  ],
  [reg({ xattrs: { k: Buffer.alloc(65537).toString('base64') } }), 'xattr "k" has 65537 bytes, more than 65536'],
  [{ name: 'f' }, 'type is "", not one of dir, reg, symlink, hardlink, char, block, fifo, chunk'],
  [{ name: 'f', type: 'socket' }, 'type is "socket", not one of dir, reg, symlink, hardlink, char, block, fifo, chunk'],
  [{ name: 'f', type: 3 }, 'type is 3, not a text'],
  [{ name: 'f', type: 'symlink' }, 'linkName is "", is empty, holds a NUL or is over 4095 bytes'],
  [
    { name: 'f', type: 'symlink', linkName: 'a\0b' },
    'linkName is "a\\u0000b", is empty, holds a NUL or is over 4095 bytes',
  ],
  [{ name: 'f', type: 'symlink', linkName: 7 }, 'linkName is 7, not a text'],
  [{ name: 'f', type: 'hardlink', linkName: '../x' }, `linkName "../x" holds a '..' part`],
] as const) {
  test(`refuses the entry ${JSON.stringify(fields).slice(0, 120)}`, (t) => {
    t.throws(() => readEntry(fields), { instanceOf: LayerFault, message: `entry "f": ${message}` });
  });
}

for (const [value, message] of [
  [{ type: 'reg' }, 'entry "": has no name'],
  [{ name: '', type: 'dir' }, 'entry "": has no name'],
  [{ name: 5, type: 'dir' }, 'name is 5, not a text'],
  [{ name: '../f', type: 'reg' }, `entry "../f": name holds a '..' part`],
  [null, 'TOC: an entry is no object'],
  [[], 'TOC: an entry is no object'],
  ['f', 'TOC: an entry is no object'],
] as const) {
  test(`refuses ${JSON.stringify(value)} as an entry`, (t) => {
    t.throws(() => readEntry(value), { instanceOf: LayerFault, message });
  });
}

test('a message quotes no more than 200 characters of what it found, on one line', (t) => {
  const error = t.throws(() => readEntry(reg({ modtime: `\n${'x'.repeat(10_000)}` })));
  t.regex(error.message, /^entry "f": modtime is "\\nx{197}\.\.\., not an RFC 3339 time$/);
});
