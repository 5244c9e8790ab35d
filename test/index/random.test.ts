// SPDX-License-Identifier: GPL-3.0-or-later

/** Random trees, told by random TOCs, against a model that is plain JavaScript. */

import test from 'ava';
import { entriesOf } from '../tools/index-facts.js';
import { directory, type Fields, indexOf, sha256 } from '../tools/toc.js';

/** A generator of numbers in [0, 1), the same for equal seeds. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const NAMES = [
  'a',
  'b',
  'ab',
  'a b',
  '...',
  '.hidden',
  'ä',
  '日本語',
  '🐳',
  'x'.repeat(240),
  '0',
  '__proto__',
  '\\',
  '~',
];
const FORMS = [
  (p: string) => p,
  (p: string) => `./${p}`,
  (p: string) => `/${p}`,
  (p: string) => p.replaceAll('/', '//./'),
];

interface Model {
  readonly entries: Fields[];
  /** By path: the type, and what tells the file apart: its size, target or number. */
  readonly files: Map<string, { type: string; mark: string }>;
}

/** Makes a tree of about `count` files; leaves out some parents, names some files twice. */
function grow(seed: number, count: number): Model {
  const next = random(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)] as T;
  const files = new Map<string, { type: string; mark: string }>();
  const directories = [''];
  const linkable: string[] = [];
  const entries: Fields[] = [];
  let offset = 100;
  for (let i = 0; i < count; i++) {
    const parent = pick(directories);
    const path = `${parent}${parent === '' ? '' : '/'}${pick(NAMES)}${next() < 0.8 ? i : ''}`;
    const there = files.get(path);
    if (path.length > 1000 || there?.type === 'dir') continue;
    const type = pick(['dir', 'dir', 'reg', 'reg', 'reg', 'symlink', 'hardlink', 'char', 'fifo']);
    const name = pick(FORMS)(path);
    if (type === 'dir') {
      directories.push(path);
      files.set(path, { type, mark: '' });
      if (there !== undefined || next() < 0.7) entries.push(directory(next() < 0.5 ? `${name}/` : name));
      else entries.push({ name: `${name}/.keep`, type: 'fifo' });
      if (entries.at(-1)?.['type'] === 'fifo') files.set(`${path}/.keep`, { type: 'fifo', mark: '' });
    } else if (type === 'hardlink') {
      const target = linkable.length === 0 ? undefined : pick(linkable);
      if (target === undefined || there !== undefined || files.get(target)?.type === 'dir') continue;
      entries.push({ name, type, linkName: pick(FORMS)(target) });
      files.set(path, files.get(target) as { type: string; mark: string });
    } else if (type === 'reg') {
      const size = Math.floor(next() * 3) * (i + 1);
      offset += 10_000;
      entries.push({ name, type, size, ...(size > 0 ? { offset, digest: sha256(`${i}`) } : {}) });
      files.set(path, { type, mark: String(size) });
      linkable.push(path);
    } else {
      entries.push({ name, type, ...(type === 'symlink' ? { linkName: `to ${i}` } : { devMajor: i }) });
      files.set(path, { type, mark: type === 'symlink' ? `to ${i}` : type === 'char' ? `${i}` : '' });
    }
  }
  return { entries, files };
}

const FORMATS: Readonly<Record<string, number>> = {
  dir: 0o040000,
  reg: 0o100000,
  symlink: 0o120000,
  char: 0o020000,
  fifo: 0o010000,
};

for (let seed = 1; seed <= 12; seed++) {
  test(`every path of random tree ${seed} is found as it was told, and no other`, async (t) => {
    const { entries, files } = grow(seed, seed * 150);
    const { index } = await indexOf(t, entries, 2 ** 40);
    let wrong: string[] = [];
    for (const [path, { type, mark }] of files) {
      const inode = index.find(path);
      const found =
        inode < 0
          ? 'missing'
          : { dir: '', reg: `${index.size(inode)}`, symlink: '', char: `${index.major(inode)}`, fifo: '' }[type];
      const shown = type === 'symlink' && inode >= 0 ? index.target(inode) : found;
      if (shown !== mark || (index.mode(inode) & 0o170000) !== FORMATS[type]) wrong.push(path);
    }
    t.deepEqual(wrong, []);
    t.deepEqual(Array.from(entriesOf(index), ({ path }) => path).toSorted(), [...files.keys()].toSorted());

    const next = random(seed + 1000);
    const present = [...files.keys()];
    wrong = [];
    for (let i = 0; i < 5000; i++) {
      const path = present[Math.floor(next() * present.length)] as string;
      const other = [`${path}x`, path.slice(1), `${path}/`, path.replace(/.$/u, 'q'), `.wh.${path}`, ` ${path}`][
        i % 6
      ] as string;
      if (!files.has(other) && other !== '' && index.find(other) !== -1) wrong.push(other);
    }
    t.deepEqual(wrong, []);
  });
}
