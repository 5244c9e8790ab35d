// SPDX-License-Identifier: GPL-3.0-or-later

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { CrfsError, type ErrorCode } from '../../src/main/errors/error.js';
import { noise, text } from '../tools/content.js';
import { describeLayer } from '../tools/index-tree.js';
import { type TarEntry, tarEnd, tarEntry, writeTar } from '../tools/tar-writer.js';
import { convert, scratch } from './setting.js';

/** Converts bad input: there must be one error of one line that names it, and nothing at the destination. */
async function refuses(
  t: ExecutionContext,
  input: Uint8Array,
  why: RegExp,
  code: ErrorCode = 'CRFS_BAD_LAYER',
): Promise<void> {
  const directory = scratch(t);
  const source = join(directory, 'input');
  writeFileSync(source, input);
  for (const options of [{}, { prioritize: ['*'] }]) {
    const error = await t.throwsAsync(convert(source, join(directory, 'layer'), options), { instanceOf: CrfsError });
    t.is((error as CrfsError | undefined)?.code, code);
    t.regex(error?.message ?? '', why);
    t.true(error?.message.startsWith(source));
    t.false(error?.message.includes('\n'));
    t.deepEqual(readdirSync(directory), ['input']);
  }
}

function tarOf(...entries: TarEntry[]): Buffer {
  return Buffer.concat([...entries.map((entry) => tarEntry(entry)), tarEnd]);
}

const file = { name: 'file', content: text(300_000) };
const good = tarOf(file, { name: 'other', content: noise(10_000) });

/** A header with some bytes changed, its checksum right again. */
function patched(entry: TarEntry, at: number, bytes: string): Buffer {
  const header = tarEntry(entry);
  header.write(bytes, at, 'latin1');
  header.fill(' ', 148, 156);
  const sum = header.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([header, tarEnd]);
}

function pax(records: string): Buffer {
  return Buffer.concat([tarEntry({ name: 'x', type: 'x', content: records }), tarEntry(file), tarEnd]);
}

const cases: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
  'nothing at all': [Buffer.alloc(0), /it is empty/],
  'a short text': [Buffer.from('hello\n'), /only 6 bytes/],
  'a text': [text(10_000), /not a tar/],
  'a tar cut within a file': [good.subarray(0, 100_000), /ends in the middle of "file"/],
  'a tar cut within padding': [good.subarray(0, 512 + 300_010), /before its end is marked/],
  'a tar cut between two files': [tarEntry(file), /before its end is marked/],
  'a tar cut within a header': [good.subarray(0, 512 + 300_032 + 100), /before its end is marked/],
  'a header with a flipped bit': [flipped(good, 10), /checksum/],
  'a gzip stream cut off': [gzipSync(good).subarray(0, 5000), /gzip stream ends too early/],
  'a gzip stream with a flipped bit': [flipped(gzipSync(good), 2000), /gzip stream cannot be decoded/],
  'a gzip stream with another checksum': [
    flipped(gzipSync(good), gzipSync(good).length - 6),
    /gzip stream cannot be decoded: incorrect data check/,
  ],
  'a gzip stream of a text': [gzipSync(text(10_000)), /not a tar/],
  xz: [Buffer.from('fd377a585a000004', 'hex'), /compressed with xz/],
  'a zip file': [Buffer.concat([Buffer.from('PK\x03\x04'), noise(1000)]), /not a tar/],
  'a name with ..': [tarOf({ name: '../escape', content: 'x' }), / holds a '\.\.' part$/],
  'a hardlink to ..': [tarOf({ name: 'a', type: '1', linkname: 'b/../../c' }), / holds a '\.\.' part$/],
  'a NUL in a PAX path': [pax('12 path=a\0b\n'), /NUL/],
  'a size that is no number': [patched(file, 124, '99999999999\0'), /for a size/],
  'a negative size': [patched(file, 124, '\xff'.repeat(12)), /size/],
  'a size beyond all bounds': [patched(file, 124, `\x80${'\xff'.repeat(11)}`), /too large/],
  'an owner beyond 32 bits': [patched(file, 108, `\x80\0\0\x01${'\0'.repeat(4)}`), /owner 4294967296/],
  'an unknown type': [tarOf({ name: 'volume', type: 'M', content: 'x' }), /of a type/],
  'a PAX record without its length': [pax('path=a\n'), /record/],
  'a PAX record with another length than its own': [pax('10 path=ab10 path=c\n'), /record/],
  'a PAX record longer than its header': [pax('99 path=a\n'), /record/],
  'a PAX size that is no number': [pax('14 size=1e9x\n'.padStart(14)), /record|size/],
  'a PAX time that is none': [pax('13 mtime=now\n'), /time/],
  'a PAX header that nothing follows': [
    Buffer.concat([tarEntry({ name: 'x', type: 'x', content: '10 path=a\n' }), tarEnd]),
    /belongs to no entry/,
  ],
  'a PAX header of megabytes': [pax('x'.repeat(3_000_000)), /extended header of 3000000 bytes/],
  'a sparse map that goes back': [
    sparse([
      [4096, 512],
      [0, 512],
    ]),
    /map of a sparse file is wrong/,
  ],
  'a sparse map beyond the file': [
    sparse([
      [0, 512],
      [9728, 1024],
    ]),
    /map of a sparse file is wrong/,
  ],
  'a sparse map with more than the data': [
    sparse([
      [0, 512],
      [1024, 4096],
    ]),
    /less data than its map/,
  ],
  'a name of 256 bytes': [tarOf({ name: 'n'.repeat(256), content: 'x' }), /entry "n+.*longer than 255 bytes/],
  'a path of 4096 bytes': [tarOf({ name: 'path/'.repeat(820), content: 'x' }), /longer than 4095 bytes/],
  'a file below a file': [tarOf({ name: 'a' }, { name: 'a/b' }), /entry "a\/b": "a" is no directory/],
  'a symlink to nothing': [tarOf({ name: 's', type: '2', linkname: '' }), /entry "s": linkName is ""/],
  'a root that is a symlink': [tarOf({ name: './', type: '2', linkname: 'x' }), /the root is of type symlink/],
  'a hardlink to what is not there': [
    tarOf({ name: 'a', type: '1', linkname: 'b' }),
    /hardlink "a".*"b" is not in the layer/,
  ],
  'a hardlink to a directory': [
    tarOf({ name: 'd/', type: '5' }, { name: 'a', type: '1', linkname: 'd' }),
    /hardlink "a": its target "d" is a directory/,
  ],
  'hardlinks in a circle': [
    tarOf({ name: 'a', type: '1', linkname: 'b' }, { name: 'b', type: '1', linkname: 'a' }),
    /leads back to itself/,
  ],
  'a device that Linux has no number for': [
    tarOf({ name: 'c', type: '3', devmajor: 4096 }),
    /entry "c": devMajor is 4096/,
  ],
  'a sparse file of exabytes': [sparse([[0, 512]], 2 ** 52), /entry "sparse": a sparse file of 4503599627370496 bytes/],
};

function sparse(map: [number, number][], size = 10_000): Buffer {
  return tarOf({ name: 'sparse', content: Buffer.alloc(1024, 1), sparse: { size, map } });
}

function flipped(bytes: Uint8Array, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 0x10;
  return copy;
}

for (const [what, [input, why]] of Object.entries(cases)) {
  test(`refused with one error, and nothing written: ${what}`, async (t) => {
    await refuses(t, input, why);
  });
}

test('a source that is not there is named', async (t) => {
  const directory = scratch(t);
  const error = await t.throwsAsync(convert(join(directory, 'no'), join(directory, 'layer')), {
    instanceOf: CrfsError,
  });
  t.is((error as CrfsError | undefined)?.code, 'CRFS_NOT_FOUND');
  t.deepEqual(readdirSync(directory), []);
});

test('a layer that is there stays as it is when another conversion to it fails', async (t) => {
  const directory = scratch(t);
  const [tar, layer] = [join(directory, 'tar'), join(directory, 'layer')];
  writeTar(tar, [file]);
  await convert(tar, layer);
  const before = readFileSync(layer);
  writeFileSync(tar, good.subarray(0, 100_000));
  await t.throwsAsync(convert(tar, layer));
  t.true(readFileSync(layer).equals(before));
});

test('an interrupted conversion leaves nothing', async (t) => {
  const directory = scratch(t);
  const tar = join(directory, 'tar');
  writeTar(tar, [{ name: 'noise', content: noise(30_000_000) }]);
  const controller = new AbortController();
  const reason = new Error('enough');
  const onProgress = (): void => controller.abort(reason);
  const error = await t.throwsAsync(convert(tar, join(directory, 'layer'), { signal: controller.signal, onProgress }));
  t.is(error, reason);
  t.deepEqual(readdirSync(directory), ['tar']);
});

test('a conversion that is interrupted before it has begun leaves nothing', async (t) => {
  const directory = scratch(t);
  const tar = join(directory, 'tar');
  writeTar(tar, [file]);
  const reason = new Error('enough');
  const error = await t.throwsAsync(convert(tar, join(directory, 'layer'), { signal: AbortSignal.abort(reason) }));
  t.is(error, reason);
  t.deepEqual(readdirSync(directory), ['tar']);
});

test('what a mount shows in another way than the tar says is told', async (t) => {
  const directory = scratch(t);
  const [tar, layer] = [join(directory, 'tar'), join(directory, 'layer')];
  writeFileSync(
    tar,
    tarOf(
      { name: 'owner', uid: 2 ** 32 - 1 },
      { name: 'xattrs', xattrs: { 'user.big': Buffer.alloc(70_000), 'user.small': 'x' } },
      { name: 'late', mtime: 2 ** 40 },
    ),
  );
  const { warnings } = await convert(tar, layer);
  t.is(warnings.length, 3);
  t.regex(warnings[0] ?? '', /^"owner" has the owner 4294967295/);
  t.regex(warnings[1] ?? '', /^"xattrs" has an xattr that no file system takes.*"user.big" has 70000 bytes/);
  t.regex(warnings[2] ?? '', /^"late" has a time beyond/);
  const tree = await describeLayer(layer, directory);
  t.is(tree.get('owner')?.uid, 0);
  t.deepEqual(tree.get('xattrs')?.xattrs, { 'user.small': '78' });
});

test('a path behind a symlink is written into the TOC as it lands', async (t) => {
  const directory = scratch(t);
  const [tar, layer] = [join(directory, 'tar'), join(directory, 'layer')];
  writeFileSync(tar, tarOf({ name: 'lib', type: '2', linkname: 'usr/lib' }, { name: 'lib/x', content: 'x' }));
  await convert(tar, layer);
  t.deepEqual([...(await describeLayer(layer, directory)).keys()], ['.', 'lib', 'usr', 'usr/lib', 'usr/lib/x']);
});

test('a destination that is no file is left as it is', async (t) => {
  const directory = scratch(t);
  writeFileSync(join(directory, 'tar'), good);
  const error = await t.throwsAsync(convert(join(directory, 'tar'), '/dev/null'), { instanceOf: CrfsError });
  t.is((error as CrfsError | undefined)?.code, 'CRFS_DENIED');
  t.true(statSync('/dev/null').isCharacterDevice());
});
