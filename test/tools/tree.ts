// SPDX-License-Identifier: GPL-3.0-or-later

/** What a directory tree holds, in full, to compare two of them. */

import type { BigIntStats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { run } from './run.js';

export interface TreeEntry {
  readonly type: 'file' | 'directory' | 'symlink' | 'char' | 'block' | 'fifo' | 'socket';
  /** The permission bits, with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: bigint;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  readonly nlink: bigint;
  /** Devices only: major and minor as stat gives them, in one number. */
  readonly rdev?: bigint;
  /** Every namespace; values in hexadecimal digits. */
  readonly xattrs: Readonly<Record<string, string>>;
  /** Symlinks only; bytes as latin1 characters. */
  readonly target?: string;
  /** Regular files only, hexadecimal. */
  readonly sha256?: string;
}

/** Keyed by the path below the root, its bytes as latin1 characters, the root itself being '.'. */
export type Tree = ReadonlyMap<string, TreeEntry>;

export interface DescribeOptions {
  /** How many processes read file contents at the same time. */
  readonly readers?: number;
}

/** Describes everything below a directory, whatever bytes the names have. */
export async function describeTree(directory: string, options: DescribeOptions = {}): Promise<Tree> {
  const found = new Map<string, BigIntStats>();
  await walk(Buffer.from(directory), '.', found);
  const files = [...found].filter(([, stat]) => stat.isFile()).map(([path]) => path);
  const digests = await digestFiles(directory, files, options.readers ?? 4);
  const xattrs = await readXattrs(directory);
  const tree = new Map<string, TreeEntry>();
  for (const [path, stat] of found) {
    tree.set(path, {
      type: typeOf(stat),
      mode: Number(stat.mode) & 0o7777,
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      size: stat.size,
      mtime: stat.mtimeNs,
      nlink: stat.nlink,
      xattrs: xattrs.get(path) ?? {},
      ...(stat.isCharacterDevice() || stat.isBlockDevice() ? { rdev: stat.rdev } : {}),
      ...(stat.isSymbolicLink()
        ? { target: (await readlink(below(directory, path), 'buffer')).toString('latin1') }
        : {}),
      ...(stat.isFile() ? { sha256: digests.get(path) ?? 'unread' } : {}),
    });
  }
  return tree;
}

export interface CompareOptions {
  /** Fields of directories to leave out; sizes and link counts of directories are the file system's own. */
  readonly ignoreOfDirectories?: readonly (keyof TreeEntry)[];
  /** Directories whose modification time nobody promised. */
  readonly ignoreMtimeOf?: readonly string[];
  /** Namespaces to leave out, such as 'security.selinux'. */
  readonly ignoreXattrs?: readonly string[];
}

/** Lists what differs between two trees, a line each; none if they are the same. */
export function compareTrees(actual: Tree, expected: Tree, options: CompareOptions = {}): string[] {
  const differences: string[] = [];
  const ignoreOfDirectories = new Set(options.ignoreOfDirectories ?? ['size', 'nlink']);
  const timeless = new Set((options.ignoreMtimeOf ?? []).map(latin1));
  for (const [path, wanted] of expected) {
    const found = actual.get(path);
    if (!found) {
      differences.push(`${show(path)} is missing`);
      continue;
    }
    for (const key of fields) {
      if (wanted.type === 'directory' && ignoreOfDirectories.has(key)) continue;
      if (key === 'mtime' && timeless.has(path)) continue;
      const left = shown(found, key, options);
      const right = shown(wanted, key, options);
      if (left !== right) differences.push(`${show(path)}: ${key} is ${left}, expected ${right}`);
    }
  }
  for (const path of actual.keys()) if (!expected.has(path)) differences.push(`${show(path)} should not be there`);
  return differences;
}

const fields = ['type', 'mode', 'uid', 'gid', 'size', 'mtime', 'nlink', 'rdev', 'xattrs', 'target', 'sha256'] as const;

function shown(entry: TreeEntry, key: (typeof fields)[number], options: CompareOptions): string {
  if (key === 'mode') return entry.mode.toString(8);
  if (key !== 'xattrs') return String(entry[key]);
  const ignored = options.ignoreXattrs ?? [];
  const kept = Object.entries(entry.xattrs).filter(([name]) => !ignored.includes(name));
  return JSON.stringify(Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1))));
}

function show(path: string): string {
  const text = JSON.stringify(Buffer.from(path, 'latin1').toString());
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}

function latin1(path: string): string {
  return Buffer.from(path).toString('latin1');
}

function below(directory: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(path, 'latin1')]);
}

async function walk(directory: Buffer, path: string, found: Map<string, BigIntStats>): Promise<void> {
  const here = path === '.' ? directory : Buffer.concat([directory, Buffer.from('/'), Buffer.from(path, 'latin1')]);
  const stat = await lstat(here, { bigint: true });
  found.set(path, stat);
  if (!stat.isDirectory()) return;
  for (const name of await readdir(here, { encoding: 'buffer' })) {
    const child = name.toString('latin1');
    await walk(directory, path === '.' ? child : `${path}/${child}`, found);
  }
}

function typeOf(stat: BigIntStats): TreeEntry['type'] {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isCharacterDevice()) return 'char';
  if (stat.isBlockDevice()) return 'block';
  return stat.isFIFO() ? 'fifo' : 'socket';
}

/** sha256sum in as many processes as there are readers: with -z it prints names as they are. */
async function digestFiles(directory: string, files: readonly string[], readers: number): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  const shares = Array.from({ length: readers }, (_, reader) =>
    files.filter((_path, index) => index % readers === reader),
  );
  const outputs = shares
    .filter((share) => share.length > 0)
    .map((share) => {
      const stdin = Buffer.from(share.map((path) => `./${path}\0`).join(''), 'latin1');
      return run('xargs', ['-0', 'sha256sum', '-b', '-z'], { cwd: directory, stdin });
    });
  for (const output of await Promise.all(outputs)) {
    for (const line of output.toString('latin1').split('\0')) {
      if (line !== '') digests.set(line.slice(68), line.slice(0, 64));
    }
  }
  return digests;
}

/** getfattr over the whole tree at once. In names it writes backslashes, newlines and the like as three octal digits. */
async function readXattrs(directory: string): Promise<Map<string, Record<string, string>>> {
  const output = await run('getfattr', ['-R', '-P', '-h', '-d', '-m', '-', '-e', 'hex', '.'], { cwd: directory });
  const all = new Map<string, Record<string, string>>();
  let current: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const line of output.toString('latin1').split('\n')) {
    if (line.startsWith('# file: ')) {
      current = Object.create(null) as Record<string, string>;
      all.set(unquote(line.slice(8)), current);
    } else if (line !== '') {
      const equals = line.lastIndexOf('=');
      const name = equals < 0 ? line : line.slice(0, equals);
      current[unquote(name)] = equals < 0 ? '' : line.slice(equals + 3);
    }
  }
  return all;
}

function unquote(quoted: string): string {
  return quoted.replace(/\\([0-7]{3})/g, (_all, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
