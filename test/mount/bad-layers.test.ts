// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Bad layers, each named for the rule that it breaks, as a user meets them: the line of the mount that is refused, or the
 * errno of the read and the line in the log. Whatever they are, the daemon lives on, and other mounts read on.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, crc32, deflateRawSync, gzipSync } from 'node:zlib';
import type { ExecutionContext } from 'ava';
import { knownLayer, readAll } from '../faults/world.js';
import { noise } from '../tools/content.js';
import { anyDriver, eachDriver, Machine, mountingTest, until } from '../tools/machine.js';
import { directory, estargzFooter, type Fields, file, sha256, tarOf, tocJson } from '../tools/toc.js';

const mounting = eachDriver();
const shared = anyDriver();
const byHost = mountingTest(); // whatever inflates, what serves the mount is the same

const CONTENT = Buffer.alloc(10_000, 'x');
const INDEX = 'stargz.index.json';

/** A blob of content, a compressed TOC, and a footer that tells where that is. */
function blob(toc: Buffer, content = CONTENT, tocOffset = content.length): Buffer {
  return Buffer.concat([content, toc, estargzFooter(tocOffset)]);
}

async function tocOf(json: string, content = CONTENT): Promise<Buffer> {
  return blob(gzipSync(await tarOf([[INDEX, json]])), content);
}

const entries = (...list: Fields[]): Promise<Buffer> => tocOf(tocJson(list));

const link = (name: string, linkName: string): Fields => ({ name, type: 'hardlink', linkName });

const chunks = (size: number, ...places: readonly (readonly [chunkOffset: number, chunkSize: number])[]): Fields[] =>
  places.map(([chunkOffset, chunkSize], n) => ({
    name: 'f',
    type: n === 0 ? 'reg' : 'chunk',
    ...(n === 0 ? { size } : {}),
    offset: 100 * (n + 1),
    chunkOffset,
    chunkSize,
  }));

/** The header of a tar with one file, stargz.index.json, of any size. */
async function tarHeader(size: number): Promise<Buffer> {
  const header = (await tarOf([[INDEX, '']])).subarray(0, 512);
  header.write(size.toString(8).padStart(11, '0'), 124, 'latin1');
  header.write('        ', 148, 'latin1');
  const sum = header.reduce((a, b) => a + b, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

/** 10^7 entries, as one gzip member that stands there a hundred times. */
async function tenMillionEntries(): Promise<Buffer> {
  const part = Array.from({ length: 100_000 }, (_, n) => `${JSON.stringify(directory(`d${n}`))},`).join('');
  const [head, tail] = ['{"version":1,"entries":[', '{"name":"last","type":"dir"}]}'];
  const header = await tarHeader(head.length + 100 * part.length + tail.length);
  const repeated = Array.from({ length: 100 }, () => gzipSync(part));
  return blob(Buffer.concat([gzipSync(header), gzipSync(head), ...repeated, gzipSync(tail)]));
}

/** A TOC of 4 GB of blanks in 4 MB. */
async function tocBomb(): Promise<Buffer> {
  const part = gzipSync(Buffer.alloc(64 << 20, ' '), { level: 9 });
  const header = gzipSync(await tarHeader(64 * (64 << 20)));
  return blob(Buffer.concat([header, ...Array.from({ length: 64 }, () => part)]));
}

/** A TOC whose gzip member says another CRC-32 than it has. */
async function wrongCrc(): Promise<Buffer> {
  const toc = gzipSync(await tarOf([[INDEX, tocJson([directory('d')])]]));
  toc.writeUInt32LE((toc.readUInt32LE(toc.length - 8) ^ 1) >>> 0, toc.length - 8);
  return blob(toc);
}

const long = (length: number): string => 'x'.repeat(length);
const deep = `${'x/'.repeat(2500)}f`;
const numbered = (size: string): Promise<Buffer> =>
  tocOf(`{"version":1,"entries":[{"name":"f","type":"reg","offset":1,"size":${size}}]}`);
const notInteger = 'not an integer from 0 to 9007199254740991';
const notStargz =
  'is no layer that can be mounted, or was cut short: no footer at its end, no tar at its beginning; `crfs stargzify` converts layers and images';

/** What each breaks, the blob, and what the mount says behind the name of the layer. */
const refused: readonly (readonly [rule: string, blob: () => Promise<Buffer>, line: string | RegExp])[] = [
  ["a '..' part", () => entries(file('a/../../b', 1)), `entry "a/../../b": name holds a '..' part`],
  ["a '..' in a hardlink", () => entries(link('a', '../b')), `entry "a": linkName "../b" holds a '..' part`],
  ['a NUL', () => entries(file('a\0b', 1)), 'entry "a\\u0000b": name holds a NUL'],
  ['an empty name', () => entries(file('', 1)), 'entry "": has no name'],
  [
    'a part of 256 bytes',
    () => entries(directory(`d/${long(256)}`)),
    /^entry "d\/x+\.\.\.: name has a part longer than 255 bytes$/,
  ],
  [
    'a name of 5,000 bytes',
    () => entries(directory(long(5000))),
    /^entry "x+\.\.\.: name has a part longer than 255 bytes$/,
  ],
  ['a path of 5,000 bytes', () => entries(directory(deep)), /^entry "(x\/)+x?\.\.\.: name is longer than 4095 bytes$/],
  ['a file as a parent', () => entries(file('a', 1), file('a/b', 2)), 'entry "a/b": "a" is no directory'],
  [
    'a file behind a symlink as a parent',
    () => entries({ name: 'a', type: 'symlink', linkName: '/b' }, file('b', 1), file('a/passwd', 2)),
    'entry "b/passwd": "b" is no directory',
  ],
  [
    'symlinks in circles as parents',
    () =>
      entries(
        { name: 'a', type: 'symlink', linkName: 'b' },
        { name: 'b', type: 'symlink', linkName: 'a' },
        file('a/f', 1),
      ),
    'entry "a/f": more than 40 symlinks on the way',
  ],
  ['a hardlink to itself', () => entries(link('a', 'a')), 'hardlink "a": its target leads back to itself'],
  [
    'a loop of hardlinks',
    () => entries(link('a', 'b'), link('b', 'c'), link('c', 'a')),
    'hardlink "a": its target leads back to itself',
  ],
  [
    'a hardlink to a directory',
    () => entries(directory('d'), link('a', 'd')),
    'hardlink "a": its target "d" is a directory',
  ],
  [
    'a file beyond the blob',
    () => entries(file('f', 2 ** 52)),
    'file "f": starts at 4503599627370496, not before the TOC at 10000',
  ],
  [
    'a size beyond the blob',
    () => entries({ name: 'f', type: 'reg', offset: 1, size: 2 ** 52 }),
    'file "f": the 9999 bytes of the blob at 1 cannot inflate to 4503599627370496',
  ],
  ['overlapping chunks', () => entries(...chunks(9, [0, 5], [4, 5])), 'file "f": more than one chunk for byte 4'],
  ['chunks that go backward', () => entries(...chunks(9, [5, 4], [0, 6])), 'file "f": more than one chunk for byte 5'],
  ['a gap between chunks', () => entries(...chunks(9, [0, 3], [5, 4])), 'file "f": no chunk for byte 3'],
  [
    '10^7 entries in a small blob',
    tenMillionEntries,
    'the TOC lists more entries than 10000 bytes of content can hold',
  ],
  ['a gzip bomb as the TOC', tocBomb, /^the TOC inflates to more than \d+ bytes, out of \d+$/],
  ['a TOC with a wrong CRC-32', wrongCrc, 'the TOC does not inflate: incorrect data check'],
  ['garbage behind the footer', async () => Buffer.concat([await entries(), Buffer.from('x')]), notStargz],
  [
    'a footer that points at itself',
    async () => Buffer.concat([CONTENT, estargzFooter(CONTENT.length)]),
    'the footer places the TOC at 10000, outside of 1 to 9999',
  ],
  [
    'a footer that points behind the blob',
    async () => Buffer.concat([CONTENT, estargzFooter(2 ** 50)]),
    'the footer places the TOC at 1125899906842624, outside of 1 to 9999',
  ],
  [
    'a TOC without stargz.index.json',
    async () => blob(gzipSync(await tarOf([['index.json', '{}']]))),
    `the TOC's tar holds "index.json", not ${INDEX} alone`,
  ],
  ['an empty tar as the TOC', async () => blob(gzipSync(await tarOf([]))), `the TOC's tar holds no ${INDEX}`],
  [
    'JSON 10,000 deep',
    () => tocOf(`{"version":1,"entries":[${'{"a":'.repeat(10_000)}`),
    'TOC: byte 184 nests deeper than 32 levels',
  ],
  ['an unknown version', () => tocOf('{"version":2,"entries":[]}'), 'TOC: version is 2, not 1'],
  ['a negative number', () => numbered('-1'), `entry "f": size is -1, ${notInteger}`],
  ['a fractional number', () => numbered('1.5'), `entry "f": size is 1.5, ${notInteger}`],
  ['a number of 2^53', () => numbered('9007199254740992'), `entry "f": size is 9007199254740992, ${notInteger}`],
  [
    'a number beyond 2^64',
    () => numbered('99999999999999999999'),
    `entry "f": size is 100000000000000000000, ${notInteger}`,
  ],
  ['a number beyond all', () => numbered('1e999'), `entry "f": size is Infinity, ${notInteger}`],
];

shared('a layer that breaks a rule of its metadata is refused at mount, in one line', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 20, large: 1 });
  const steady = await machine.mount([known.layer]);
  const daemon = (await machine.status())?.pid;
  const place = machine.directory('bad');
  for (const [n, [rule, make, line]] of refused.entries()) {
    const path = join(place, `${n}.gz`);
    writeFileSync(path, await make());
    const error = await t.throwsAsync(machine.mount([path]), undefined, rule);
    const lines = error?.message.match(/\bcrfs: .*$/gm) ?? [];
    t.is(lines.length, 1, rule);
    const [said = ''] = lines;
    t.true(said.startsWith(`crfs: ${path}: `), said);
    const told = said.slice(`crfs: ${path}: `.length);
    if (typeof line === 'string') t.is(told, line, rule);
    else t.regex(told, line, rule);
    t.true(machine.log.includes(`refused a mount: ${path}: `), rule);
  }
  await until('the daemon has seen all of them go', async () => (await machine.status())?.mounts.length === 1);
  t.like(await machine.status(), { pid: daemon, layers: { length: 1 } });
  t.deepEqual(await readAll(steady.merged, known, 2), { failed: [], wrong: [] });
});

mounting('odd names that break no rule show inside of the mount, cleaned', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const path = join(machine.directory('odd'), 'layer.gz');
  const names = ['/absolute', './dot', 'trailing/', 'double//slash', '...', 'new\nline', '__proto__', long(255)];
  writeFileSync(
    path,
    await entries(...names.map((name) => directory(name)), { name: 'out', type: 'symlink', linkName: '../../etc' }),
  );
  const { merged } = await machine.mount([path]);
  const shown = ['absolute', 'dot', 'trailing', 'double', '...', 'new\nline', '__proto__', long(255), 'out'];
  t.deepEqual(readdirSync(merged).sort(), shown.sort());
});

/** A gzip member of parts of a deflate stream, that says what it likes about its content. */
function memberOf(deflated: readonly Buffer[], crc: number, size: number): Buffer {
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc >>> 0, 0);
  trailer.writeUInt32LE(size >>> 0, 4);
  return Buffer.concat([Buffer.from('1f8b08000000000000ff', 'hex'), ...deflated, trailer]);
}

function member(content: Uint8Array, { crc = crc32(content), size = content.length } = {}): Buffer {
  return memberOf([deflateRawSync(content, { level: 9 })], crc, size);
}

/** A gibibyte of zeros, of 64 times the same part, which ends at a byte. */
function bomb(): Buffer {
  const zeros = Buffer.alloc(1 << 24);
  const parts = Array<Buffer>(64).fill(deflateRawSync(zeros, { level: 9, finishFlush: constants.Z_FULL_FLUSH }));
  const crc = parts.reduce((sum) => crc32(zeros, sum), 0);
  return memberOf([...parts, deflateRawSync('')], crc, 1 << 30);
}

const text = noise(5000, 1);
const digest = (content: Uint8Array): string => sha256(content as unknown as string);

/** What each breaks, the member of the file `bad`, what the TOC says of it, and how it ends. */
const unreadable: readonly (readonly [rule: string, member: () => Buffer, fields: Fields, line: string | RegExp])[] = [
  ['a wrong CRC-32', () => member(text, { crc: 1 }), {}, 'a gzip member does not inflate: corrupt data or checksum'],
  ['a wrong length', () => member(text, { size: 1 }), {}, 'a gzip member does not inflate: corrupt data or checksum'],
  ['no gzip at all', () => Buffer.from(text), {}, 'a gzip member does not inflate: corrupt data or checksum'],
  [
    'garbage behind its member',
    () => Buffer.concat([member(text), Buffer.alloc(100, 'x')]),
    {},
    'a gzip member does not inflate: corrupt data or checksum',
  ],
  ['a member that is cut short', () => member(text).subarray(0, -1000), {}, /^(the|a) gzip member /],
  [
    'less content than it says',
    () => member(text.subarray(0, 4000)),
    {},
    /^the gzip member at \d+ holds less than its TOC says$/,
  ],
  [
    'a wrong digest of a file',
    () => member(text),
    { digest: digest(text.subarray(1)) },
    /^the content is not what the TOC says: sha256 [0-9a-f]{64}, not [0-9a-f]{64}$/,
  ],
  [
    'a wrong digest of its only chunk',
    () => member(text),
    { digest: undefined, chunkDigest: digest(text.subarray(1)) },
    /^the content is not what the TOC says: sha256 [0-9a-f]{64}, not [0-9a-f]{64}$/,
  ],
  ['a gzip bomb', bomb, {}, /^the content is not what the TOC says: sha256 [0-9a-f]{64}, not [0-9a-f]{64}$/],
];

/** A layer of two files, `bad` and `good`. */
async function twoFiles(bad: Buffer, fields: Fields): Promise<Buffer> {
  const good = gzipSync(text.subarray(0, 100));
  const start = 16; // nothing has an offset of 0 and content
  const content = Buffer.concat([Buffer.alloc(start), bad, good]);
  const toc = tocJson([
    { name: 'bad', type: 'reg', offset: start, size: text.length, digest: digest(text), ...fields },
    { name: 'good', type: 'reg', offset: start + bad.length, size: 100, digest: digest(text.subarray(0, 100)) },
  ]);
  return await tocOf(toc, content);
}

async function failsAlone(t: ExecutionContext, engine: string): Promise<void> {
  const machine = new Machine({ CRFS_READAHEAD: '0', CRFS_ENGINE: engine, CRFS_WORKERS: '2' });
  t.teardown(() => machine.dispose());
  const place = machine.directory('bad');
  for (const [n, [rule, make, fields, line]] of unreadable.entries()) {
    const path = join(place, `${n}.gz`);
    writeFileSync(path, await twoFiles(make(), fields));
    const mount = await machine.mount([path]);
    t.throws(() => readFileSync(join(mount.merged, 'bad')), { code: 'EIO' }, rule);
    t.true(readFileSync(join(mount.merged, 'good')).equals(text.subarray(0, 100)), rule);
    const logged = (): string[] =>
      machine.log.split('\n').filter((entry) => entry.includes('cannot serve') && entry.includes(path));
    await until('it is logged', () => logged().length > 0);
    for (const entry of logged()) {
      const { message, path: name } = JSON.parse(entry) as { message: string; path: string };
      t.is(name, 'bad');
      if (typeof line === 'string') t.is(message, line, rule);
      else t.regex(message, line, rule);
    }
    await mount.unmount();
  }
  await until('the daemon is small: no bomb went off', async () => {
    return ((await machine.status())?.memory.rss ?? Number.POSITIVE_INFINITY) < 250 << 20;
  });
}

shared('a file whose bytes break a rule is EIO, alone, and the log says which', async (t) => {
  await failsAlone(t, 'libdeflate');
});

for (const engine of ['zlib', 'pako']) {
  byHost(`a file whose bytes break a rule is EIO, alone, and the log says which: ${engine}`, async (t) => {
    await failsAlone(t, engine);
  });
}
