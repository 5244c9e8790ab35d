// SPDX-License-Identifier: GPL-3.0-or-later

/** Two layers, of which the upper one changes what the lower one holds. */

import { join } from 'node:path';
import { type TarEntry, writeTar } from './tar-writer.js';

const time = 1_500_000_000;

/**
 * Writes `lower.tar` and `upper.tar` into a directory: the upper one holds whiteouts, an opaque directory and entries
 * whose type differs from the lower one's.
 */
export function writeWhiteoutTars(directory: string): { readonly lower: string; readonly upper: string } {
  const lower = join(directory, 'lower.tar');
  const upper = join(directory, 'upper.tar');
  writeTar(lower, lowerEntries, 'pax');
  writeTar(upper, upperEntries, 'pax');
  return { lower, upper };
}

const lowerEntries: readonly TarEntry[] = [
  { name: 'kept', mtime: time, content: 'kept\n' },
  { name: 'gone', mtime: time, content: 'gone\n' },
  { name: 'gone-directory/', type: '5', mode: 0o755, mtime: time },
  { name: 'gone-directory/file', mtime: time, content: 'gone\n' },
  { name: 'opaque/', type: '5', mode: 0o755, mtime: time },
  { name: 'opaque/old', mtime: time, content: 'old\n' },
  { name: 'opaque/both', mtime: time, content: 'old\n' },
  { name: 'file-becomes-directory', mtime: time, content: 'file\n' },
  { name: 'directory-becomes-file/', type: '5', mode: 0o755, mtime: time },
  { name: 'directory-becomes-file/inside', mtime: time, content: 'inside\n' },
  { name: 'file-becomes-symlink', mtime: time, content: 'file\n' },
  { name: 'symlink-becomes-directory', type: '2', mode: 0o777, mtime: time, linkname: 'kept' },
  { name: 'merged/', type: '5', mode: 0o755, mtime: time },
  { name: 'merged/lower', mtime: time, content: 'lower\n' },
  { name: 'replaced', mtime: time, mode: 0o600, content: 'lower\n' },
];

const upperEntries: readonly TarEntry[] = [
  { name: '.wh.gone', mtime: time },
  { name: '.wh.gone-directory', mtime: time },
  { name: '.wh.never-was', mtime: time },
  { name: 'opaque/', type: '5', mode: 0o700, mtime: time + 1 },
  { name: 'opaque/.wh..wh..opq', mtime: time },
  { name: 'opaque/both', mtime: time + 1, content: 'new\n' },
  { name: 'opaque/new', mtime: time, content: 'new\n' },
  { name: 'file-becomes-directory/', type: '5', mode: 0o755, mtime: time },
  { name: 'file-becomes-directory/inside', mtime: time, content: 'inside\n' },
  { name: 'directory-becomes-file', mtime: time, content: 'now a file\n' },
  { name: 'file-becomes-symlink', type: '2', mode: 0o777, mtime: time, linkname: 'kept' },
  { name: 'symlink-becomes-directory/', type: '5', mode: 0o755, mtime: time },
  { name: 'symlink-becomes-directory/inside', mtime: time, content: 'inside\n' },
  { name: 'merged/', type: '5', mode: 0o711, mtime: time + 2 },
  { name: 'merged/upper', mtime: time, content: 'upper\n' },
  { name: 'replaced', mtime: time + 3, mode: 0o4711, uid: 9, content: 'upper\n' },
  { name: '.wh.both-at-once', mtime: time },
  { name: 'only-here/', type: '5', mode: 0o755, mtime: time },
  { name: 'only-here/file', mtime: time, content: 'only here\n' },
  { name: 'only-here/.wh.nothing', mtime: time },
  { name: 'both-at-once', mtime: time, content: 'the entry wins over the whiteout\n' },
];
