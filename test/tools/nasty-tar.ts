// SPDX-License-Identifier: GPL-3.0-or-later

/** A tar with everything in it that a file system allows and a careless reader gets wrong. Always the same bytes. */

import { join } from 'node:path';
import { noise, text } from './content.js';
import { type TarEntry, type TarForm, writeTar } from './tar-writer.js';

export interface NastyTar {
  /** The tar file. */
  readonly path: string;
  /** Directories that no entry names: whoever extracts chooses their times. */
  readonly impliedDirectories: readonly string[];
}

const mebi = 1024 * 1024;
const time = 1_500_000_000;

/**
 * Writes `nasty.tar` into a directory.
 * The form 'gnu' has no extended attributes and no nanoseconds, GNU tar's headers cannot hold them.
 * Extracting it whole needs root and a file system with extended attributes.
 */
export function writeNastyTar(directory: string, form: TarForm = 'pax'): NastyTar {
  const path = join(directory, 'nasty.tar');
  writeTar(path, nastyEntries(), form);
  return { path, impliedDirectories: ['missing', 'missing/parents', ...deepParents()] };
}

function* nastyEntries(): Generator<TarEntry> {
  yield { name: './', type: '5', mode: 0o755, mtime: time };
  yield* names();
  yield* contents();
  yield* links();
  yield* metadata();
  yield* order();
}

function* names(): Generator<TarEntry> {
  yield { name: 'names/', type: '5', mode: 0o755, mtime: time, uname: 'root', gname: 'root' };
  const odd = [
    'a'.repeat(255),
    'ü'.repeat(127),
    'new\nline',
    'quote"d',
    "apo'strophe",
    'back\\slash',
    '-leading-dash',
    '--help',
    ' space before',
    'space after ',
    'tab\there',
    'colon:comma,semi;equals=',
    '100%',
    '$HOME `id` *?[a]{b}',
    '日本語',
    'émoji-🦀',
    'e\u0301-decomposed',
    '...',
    '.hidden',
    '..dots',
    'wh.not-a-whiteout',
    '\x01\x7f',
    '__proto__',
    'constructor',
  ];
  for (const name of odd) yield { name: `names/${name}`, mtime: time, content: `content of ${name}\n` };
  yield { name: `${deepDirectory()}/leaf`, mtime: time, content: 'deep\n' };
}

/** Directories one in the other, 3,900 bytes long together. */
function deepDirectory(): string {
  const name = 'd'.repeat(194);
  return ['deep', ...Array.from({ length: 20 }, (_, level) => `${String(level).padStart(2, '0')}${name.slice(2)}`)]
    .join('/')
    .slice(0, 3890);
}

function deepParents(): string[] {
  const parts = deepDirectory().split('/');
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

function* contents(): Generator<TarEntry> {
  yield { name: 'sizes/', type: '5', mode: 0o755, mtime: time };
  for (const size of [0, 1, 511, 512, 513, 4 * mebi - 1, 4 * mebi, 4 * mebi + 1]) {
    yield { name: `sizes/${size}`, mtime: time, content: text(size) };
  }
  yield { name: 'sizes/noise', mtime: time, content: noise(5 * mebi) };
  yield { name: 'sizes/text', mtime: time, content: text(5 * mebi) };
  yield { name: 'sizes/zeros', mtime: time, content: Buffer.alloc(9 * mebi) };
  yield { name: 'sizes/same-as-513', mtime: time + 1, mode: 0o600, content: text(513) };
  yield {
    name: 'sizes/sparse',
    mtime: time,
    content: Buffer.concat([noise(1024, 2), text(5120), noise(512, 3), text(512), noise(512, 4), text(100)]),
    sparse: {
      size: 10 * mebi + 7,
      map: [
        [0, 1024],
        [65536, 5120],
        [5 * mebi - 1, 512],
        [6 * mebi, 512],
        [7 * mebi, 512],
        [10 * mebi - 93, 100],
        [10 * mebi + 7, 0],
      ],
    },
  };
  yield { name: 'sizes/all-hole', mtime: time, sparse: { size: 5 * mebi, map: [[5 * mebi, 0]] } };
}

function* links(): Generator<TarEntry> {
  yield { name: 'links/', type: '5', mode: 0o755, mtime: time };
  const targets: Readonly<Record<string, string>> = {
    relative: '../sizes/1',
    absolute: '/sizes/1',
    dangling: 'no/such/file',
    loop: 'loop',
    'ping-1': 'ping-2',
    'ping-2': 'ping-1',
    'out-of-the-root': '../../../../../../etc/passwd',
    'newline-in-target': 'a\nb',
    'to-directory': '../names/',
    'target-of-100': 'x'.repeat(100),
    'target-of-101': 'y'.repeat(101),
    'target-of-300': Array.from({ length: 60 }, () => 'seg/')
      .join('')
      .slice(0, 239)
      .concat('z'.repeat(61)),
    'target-of-4095': 'long/'.repeat(819),
    'target-in-unicode': 'größe/日本',
  };
  for (const [name, linkname] of Object.entries(targets)) {
    yield { name: `links/${name}`, type: '2', mode: 0o777, mtime: time, linkname };
  }
  yield { name: 'links/setuid', mode: 0o4755, mtime: time, content: '#!/bin/false\n' };
  yield { name: 'links/hard-to-setuid', type: '1', mode: 0o4755, mtime: time, linkname: 'links/setuid' };
  yield { name: './links/hard-with-dot', type: '1', mode: 0o4755, mtime: time, linkname: './links/setuid' };
  yield { name: 'links/hard-to-hard', type: '1', mode: 0o4755, mtime: time, linkname: 'links/hard-to-setuid' };
  yield { name: 'links/hard-to-symlink', type: '1', mode: 0o777, mtime: time, linkname: 'links/dangling' };
  yield { name: 'links/hard-to-empty', type: '1', mode: 0o644, mtime: time, linkname: 'sizes/0' };
  yield { name: 'links/hard-to-large', type: '1', mode: 0o644, mtime: time, linkname: 'sizes/text' };
  yield { name: 'links/hard-to-long', type: '1', mode: 0o644, mtime: time, linkname: `names/${'a'.repeat(255)}` };
}

function* metadata(): Generator<TarEntry> {
  yield { name: 'meta/', type: '5', mode: 0o755, mtime: time };
  for (const mode of [0o0000, 0o0111, 0o0444, 0o1777, 0o2755, 0o4755, 0o6711, 0o7777]) {
    yield { name: `meta/mode-${mode.toString(8)}`, mode, mtime: time, content: 'mode\n' };
  }
  for (const mode of [0o0000, 0o1777, 0o2775, 0o7777]) {
    yield { name: `meta/directory-${mode.toString(8)}/`, type: '5', mode, mtime: time };
  }
  for (const id of [1, 65534, 65535, 0o7777777, 0o10000000, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2]) {
    yield { name: `meta/uid-${id}`, uid: id, gid: id, uname: 'somebody', mtime: time, content: 'owner\n' };
  }
  yield { name: 'meta/setuid-of-somebody', uid: 1000, gid: 100, mode: 0o6755, mtime: time, content: 'x' };
  for (const [mtime, mtimeNsec] of [
    [0, 0],
    [0, 1],
    [-1, 0],
    [-1, 500_000_000],
    [-2_000_000_000, 0],
    [2 ** 31 - 1, 999_999_999],
    [2 ** 31, 0],
    [2 ** 32, 123_456_789],
    [2 ** 33, 0],
  ] as const) {
    yield { name: `meta/mtime${mtime}.${mtimeNsec}`, mtime, mtimeNsec, content: 'time\n' };
  }
  yield { name: 'meta/directory-with-nanoseconds/', type: '5', mode: 0o755, mtime: time, mtimeNsec: 987_654_321 };
  yield {
    name: 'meta/symlink-with-nanoseconds',
    type: '2',
    mode: 0o777,
    mtime: -5,
    mtimeNsec: 7,
    linkname: 'x',
    uid: 12,
    gid: 34,
  };
  const device = { mode: 0o620, mtime: time, uid: 5, gid: 6 };
  yield { ...device, name: 'meta/char', type: '3', devmajor: 1, devminor: 3 };
  yield { ...device, name: 'meta/block', type: '4', devmajor: 8, devminor: 255 };
  yield { ...device, name: 'meta/large-device', type: '3', devmajor: 4095, devminor: 1_048_575 };
  yield { ...device, name: 'meta/fifo', type: '6' };
  yield { name: 'meta/hard-to-fifo', type: '1', mtime: time, linkname: 'meta/fifo' };
  yield* xattrs();
}

function* xattrs(): Generator<TarEntry> {
  const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
  const every: Readonly<Record<string, Buffer | string>> = {
    'user.text': 'value',
    'user.binary': Buffer.from([0, 1, 0xff, 0xfe, 0x0a, 0x3d, 0, 0]),
    'user.empty': '',
    'user.newline': 'a\nb\n',
    'user.long': noise(2000, 9),
    'user.name with spaces': 'x',
    'trusted.crfs': Buffer.of(0),
    'security.capability': capability,
  };
  yield { name: 'meta/xattrs', mtime: time, mode: 0o755, content: 'xattrs\n', xattrs: every };
  yield { name: 'meta/xattrs-empty-file', mtime: time, content: '', xattrs: { 'user.a': '1', 'user.b': '2' } };
  yield {
    name: 'meta/xattrs-directory/',
    type: '5',
    mode: 0o755,
    mtime: time,
    xattrs: { 'user.d': 'd', 'trusted.d': 'd' },
  };
  yield {
    name: 'meta/xattrs-symlink',
    type: '2',
    mode: 0o777,
    mtime: time,
    linkname: 'xattrs',
    xattrs: { 'trusted.link': 'l' },
  };
  yield { name: 'meta/hard-to-xattrs', type: '1', mtime: time, mode: 0o755, linkname: 'meta/xattrs' };
}

function* order(): Generator<TarEntry> {
  yield { name: 'missing/parents/of-a-file', mtime: time, content: 'orphan\n' };
  yield { name: 'late/child', mtime: time, content: 'first the child\n' };
  yield { name: 'late/', type: '5', mode: 0o711, uid: 7, gid: 8, mtime: time - 7 };
  yield { name: './dot/', type: '5', mode: 0o750, mtime: time };
  yield { name: './dot/file', mtime: time, content: 'dot slash\n' };
  yield { name: 'twice', mtime: time, content: 'the first is replaced\n' };
  yield { name: 'twice', mtime: time + 5, mode: 0o640, content: 'the last one wins\n' };
  yield { name: 'became-a-symlink', mtime: time, content: 'was a file\n' };
  yield { name: 'became-a-symlink', type: '2', mode: 0o777, mtime: time, linkname: 'twice' };
  yield { name: 'dot/', type: '5', mode: 0o700, uid: 3, mtime: time + 9 };
}
