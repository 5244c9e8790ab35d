// SPDX-License-Identifier: GPL-3.0-or-later

/** The native addon: what it exports, typed. Built by binding.gyp from csrc/addon. */

import { createRequire } from 'node:module';

type Offsets<Names extends string> = Readonly<Record<Names | 'bytes', number>>;

/** Sizes, offsets in bytes and limits of the structures that C and TypeScript share; csrc/shared/*.h describe them. */
export interface Layout {
  readonly index: Offsets<
    | 'version'
    | 'probes'
    | 'fileSize'
    | 'tocDigest'
    | 'inoBase'
    | 'blobUsed'
    | 'prefetchEnd'
    | 'contentSize'
    | 'hashSeed'
    | 'flags'
    | 'inodes'
    | 'dirents'
    | 'chunks'
    | 'digests'
    | 'xattrs'
    | 'slots'
    | 'strings'
  >;
  readonly table: Offsets<'offset' | 'count'>;
  readonly inode: Offsets<
    | 'size'
    | 'mtimeSec'
    | 'mtimeNsec'
    | 'mode'
    | 'uid'
    | 'gid'
    | 'nlink'
    | 'flags'
    | 'xattrFirst'
    | 'xattrCount'
    | 'first'
    | 'count'
    | 'dirent'
    | 'key'
    | 'major'
    | 'minor'
  >;
  readonly dirent: Offsets<'path' | 'inode' | 'pathLength' | 'nameLength' | 'type'>;
  readonly chunk: Offsets<'offset' | 'end' | 'inner' | 'fileOffset' | 'size' | 'digest' | 'inode'>;
  readonly xattr: Offsets<'name' | 'value' | 'valueLength' | 'nameLength'>;
  readonly slot: Offsets<'tag' | 'dirent'>;
  readonly message: Offsets<'type' | 'a' | 'b' | 'textLength' | 'digest'>;
  readonly constants: Readonly<
    Record<
      | 'indexVersion'
      | 'nameLimit'
      | 'pathLimit'
      | 'inodeLimit'
      | 'probeLimit'
      | 'indexUnverified'
      | 'inodeDigest'
      | 'ringSize'
      | 'noInode'
      | 'controlVersion'
      | 'controlTextLimit'
      | 'busyIntervalMs'
      | 'hello'
      | 'open'
      | 'layer'
      | 'welcome'
      | 'opened'
      | 'busy'
      | 'error',
      number
    >
  >;
  readonly indexMagic: bigint;
}

export interface Addon {
  readonly layout: Layout;
  /** The path hash as C computes it: [place, tag], both unsigned 32-bit. */
  indexHash(seed: number, path: Uint8Array): [number, number];
  /** Checks an index as the plugin does; returns the rule that it breaks, or null. */
  indexCheck(bytes: Uint8Array): string | null;
}

const require = createRequire(import.meta.url);

/** The addon stands at build/Release of the package; this file, compiled, at dist/src/native. */
export const addon = require('../../../build/Release/crfs_addon.node') as Addon;
