// SPDX-License-Identifier: GPL-3.0-or-later

import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bytesOfName } from '../../src/main/formats/name-bytes.js';
import { IndexReader } from '../../src/main/index/reader.js';
import { openFileSource } from '../../src/main/sources/file.js';
import { entriesOf } from './index-facts.js';
import { buildBoth } from './native-index.js';
import type { Tree, TreeEntry } from './tree.js';

const TYPES: Readonly<Record<number, TreeEntry['type']>> = {
  0o010000: 'fifo',
  0o020000: 'char',
  0o040000: 'directory',
  0o060000: 'block',
  0o100000: 'file',
  0o120000: 'symlink',
};

/** What the index of a layer says that a mount shows, as describeTree tells of a directory. */
export async function describeLayer(layer: string, scratch: string): Promise<Tree> {
  const source = openFileSource(layer);
  const path = join(scratch, 'index');
  try {
    await buildBoth(source, path, 'layer');
    const index = new IndexReader(readFileSync(path));
    const below = Array.from(
      entriesOf(index),
      ({ path: name, inode }) => [latin1(name), entryOf(index, inode)] as const,
    );
    return new Map([['.', entryOf(index, 0)], ...below]);
  } finally {
    await source.close();
    rmSync(path, { force: true });
  }
}

function entryOf(index: IndexReader, inode: number): TreeEntry {
  const mode = index.mode(inode);
  const type = TYPES[mode & 0o170000] ?? 'socket';
  const xattrs = index.xattrs(inode).map(({ name, value }) => [latin1(name), Buffer.from(value).toString('hex')]);
  return {
    type,
    mode: mode & 0o7777,
    uid: index.uid(inode),
    gid: index.gid(inode),
    size: BigInt(index.size(inode)),
    mtime: BigInt(index.mtimeSeconds(inode)) * 1_000_000_000n + BigInt(index.mtimeNanoseconds(inode)),
    nlink: BigInt(index.nlink(inode)),
    xattrs: Object.fromEntries(xattrs) as Record<string, string>,
    ...(type === 'char' || type === 'block' ? { rdev: makedev(index.major(inode), index.minor(inode)) } : {}),
    ...(type === 'symlink' ? { target: latin1(index.target(inode)) } : {}),
    ...(type === 'file' ? { sha256: Buffer.from(index.fileDigest(inode) ?? []).toString('hex') } : {}),
  };
}

function latin1(name: string): string {
  return bytesOfName(name).toString('latin1');
}

/** As stat gives a device's numbers: makedev(3). */
function makedev(major: number, minor: number): bigint {
  return BigInt(((major & 0xfff) << 8) | (minor & 0xff)) | (BigInt(minor >>> 8) << 20n);
}
