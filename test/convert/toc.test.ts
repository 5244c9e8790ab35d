// SPDX-License-Identifier: GPL-3.0-or-later

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { LayerFault } from '../../src/main/formats/fault.js';
import { formatTime } from '../../src/main/formats/json-toc/format-time.js';
import { memberPath } from '../../src/main/tar/names.js';
import { noise } from '../tools/content.js';
import { checkChunks, type LayerEntry, readLayer } from '../tools/read-layer.js';
import { type TarEntry, writeTar } from '../tools/tar-writer.js';
import { convert, scratch } from './setting.js';

const fixtures = fileURLToPath(new URL('../../../test/fixtures/interop/', import.meta.url));

/** The tar that other people's converter made the fixtures of, but for the bytes of data.bin. */
function basicTar(): TarEntry[] {
  const mtime = 1_500_000_000;
  const owner = { mtime, uname: 'root', gname: 'root' };
  const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
  const table = Array.from({ length: 260_000 }, (_, row) => `${row},${row * row},${'x'.repeat(row % 40)}\n`).join('');
  return [
    { ...owner, name: 'app/', type: '5', mode: 0o755 },
    { ...owner, name: 'app/main.py', mode: 0o755, content: 'print("hello")\n' },
    { ...owner, name: 'app/lib/', type: '5', mode: 0o755 },
    { ...owner, name: 'app/lib/data.bin', content: noise(300_000) },
    { ...owner, name: 'app/lib/table.csv', content: table },
    { ...owner, name: 'app/lib/zero' },
    { ...owner, name: 'app/run', type: '2', linkname: 'main.py' },
    { ...owner, name: 'app/main-again.py', type: '1', linkname: 'app/main.py' },
    { ...owner, name: 'dev/', type: '5', mode: 0o755 },
    { ...owner, name: 'dev/null', type: '3', mode: 0o666, devmajor: 1, devminor: 3 },
    { ...owner, name: 'run/fifo', type: '6', mode: 0o600 },
    {
      ...owner,
      name: 'usr/bin/ping',
      mode: 0o755,
      content: '\x7fELF fake\n',
      xattrs: { 'security.capability': capability, 'user.k': 'v' },
    },
    { ...owner, name: 'etc/', type: '5', mode: 0o755 },
    { ...owner, name: 'etc/app.conf', mode: 0o640, gid: 7, content: '[main]\n' },
  ];
}

/**
 * What two converters must agree on. Offsets depend on the compressor, and the other one, which writes parts of a layer
 * in parallel, names users anew in each part.
 */
function comparable(entries: readonly LayerEntry[]): unknown[] {
  return entries.map((entry) => {
    const { offset, userName: _user, groupName: _group, ...rest } = entry as LayerEntry & { NumLink?: number };
    const { NumLink: _links, ...kept } = rest;
    const data =
      entry.name === 'app/lib/data.bin' ? { digest: 'its own', chunkDigest: entry.chunkDigest && 'its own' } : {};
    return { ...kept, ...data, hasOffset: offset !== undefined };
  });
}

const samples = {
  'basic.estargz': {},
  'basic.prioritized.estargz': { prioritize: ['app/main.py', 'app/lib/table.csv'] },
  'basic.stargz': { format: 'stargz' },
} as const;

for (const [name, options] of Object.entries(samples)) {
  test(`the TOC has the fields that another converter writes: ${name}`, async (t) => {
    const directory = scratch(t);
    const tar = join(directory, 'basic.tar');
    writeTar(tar, basicTar());
    await convert(tar, join(directory, 'layer'), options);
    const layer = readLayer(join(directory, 'layer'));
    const sample = JSON.parse(readFileSync(join(fixtures, `${name}.json`), 'utf8')) as { entries: LayerEntry[] };
    t.deepEqual(comparable(layer.entries), comparable(sample.entries));
    t.deepEqual(checkChunks(layer), []);
  });
}

test('a name of a user or group stands where its number first comes, and where it changes', async (t) => {
  const directory = scratch(t);
  const tar = join(directory, 'names.tar');
  writeTar(tar, [
    { name: 'a', uid: 1, gid: 1, uname: 'one', gname: 'staff' },
    { name: 'b', uid: 1, gid: 1, uname: 'one', gname: 'staff' },
    { name: 'c', uid: 2, gid: 1, uname: 'two', gname: '' },
    { name: 'd', uid: 1, gid: 1, uname: 'uno', gname: 'staff' },
  ]);
  await convert(tar, join(directory, 'layer'));
  const { entries } = readLayer(join(directory, 'layer'));
  t.deepEqual(
    entries.slice(1).map(({ userName, groupName }) => [userName, groupName]),
    [
      ['one', 'staff'],
      [undefined, undefined],
      ['two', undefined],
      ['uno', undefined],
    ],
  );
});

test('names in the TOC are clean, and those that leave the root are refused', (t) => {
  t.is(memberPath('./a//b/./c/'), 'a/b/c');
  t.is(memberPath('/etc/passwd'), 'etc/passwd');
  t.is(memberPath('./'), '.');
  t.throws(() => memberPath('a/../b'), { instanceOf: LayerFault });
  t.throws(() => memberPath('a\0b'), { instanceOf: LayerFault });
});

test('times are RFC 3339 in UTC, as fine as the tar has them', (t) => {
  t.is(formatTime({ seconds: 1_500_000_000, nanoseconds: 0 }), '2017-07-14T02:40:00Z');
  t.is(formatTime({ seconds: 1_500_000_000, nanoseconds: 120_000_000 }), '2017-07-14T02:40:00.12Z');
  t.is(formatTime({ seconds: -2, nanoseconds: 1 }), '1969-12-31T23:59:58.000000001Z');
  t.is(formatTime({ seconds: 0, nanoseconds: 0 }), '');
  t.is(formatTime({ seconds: 2 ** 40, nanoseconds: 0 }), '9999-12-31T23:59:59Z');
  t.is(formatTime({ seconds: -(2 ** 40), nanoseconds: 0 }), '0000-01-01T00:00:00Z');
});

test('extended attributes are in base64, whatever bytes they have', async (t) => {
  const directory = scratch(t);
  const tar = join(directory, 'xattrs.tar');
  const xattrs = { 'user.binary': Buffer.from([0, 255, 10, 61]), 'user.empty': '', 'user.a%3Db': 'x' };
  writeTar(tar, [{ name: 'a', xattrs }]);
  await convert(tar, join(directory, 'layer'));
  const entry = readLayer(join(directory, 'layer')).entries.at(-1);
  t.deepEqual(entry?.xattrs, { 'user.binary': 'AP8KPQ==', 'user.empty': '', 'user.a=b': 'eA==' });
});

test('a name that is not UTF-8 is kept, and a warning tells that others may show it changed', async (t) => {
  const directory = scratch(t);
  const tar = join(directory, 'latin1.tar');
  writeTar(tar, [{ name: Buffer.from([0x66, 0xfc, 0x72]), content: 'x' }]);
  const { warnings } = await convert(tar, join(directory, 'layer'));
  t.regex(warnings[0] ?? '', /^"f\\udcfcr" is not UTF-8/);
  t.is(readLayer(join(directory, 'layer')).entries.at(-1)?.name, 'f\udcfcr');
});
