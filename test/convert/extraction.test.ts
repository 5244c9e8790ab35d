// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Random tars, converted with and without a list of what is wanted first: the layer shows, and extracts to, what GNU tar
 * makes of the tar. CRFS_TEST_SEED=n runs the tar of one seed again, CRFS_TEST_RUNS=n so many of them.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { Deflater } from '../../src/main/convert/deflater.js';
import { convertFile } from '../../src/main/convert/file.js';
import { CrfsError } from '../../src/main/errors/error.js';
import { describeLayer } from '../tools/index-tree.js';
import { type RandomTar, randomTar } from '../tools/random-tar.js';
import { checkChunks, readLayer } from '../tools/read-layer.js';
import { run } from '../tools/run.js';
import { compareTrees, describeTree, type Tree, type TreeEntry } from '../tools/tree.js';

const RUNS = Number(process.env['CRFS_TEST_RUNS'] ?? 200);
const SEED = process.env['CRFS_TEST_SEED'];
const FIRST = SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(SEED);
const SEEDS = Array.from({ length: SEED === undefined ? RUNS : 1 }, (_, i) => FIRST + i);
/** Deep enough that a symlink of the tars leads to nothing else. */
const BELOW = 'x/x/x/x';

const asRoot = process.geteuid?.() === 0 ? test.serial : test.skip;

/** Extracts one tar for each line of `seed archive directory` and writes the seeds of those that fail. */
const EXTRACT = `umask 022
while read -r seed archive directory; do
  mkdir -p "$directory"
  tar -xf "$archive" -C "$directory" -P --same-owner --numeric-owner -p --delay-directory-restore \\
    --xattrs '--xattrs-include=*' --exclude=stargz.index.json '--exclude=.*prefetch.landmark' 2>/dev/null || echo "$seed"
done`;

async function extract(jobs: readonly (readonly [seed: number, archive: string, directory: string])[]) {
  const stdin = jobs.map((job) => `${job.join(' ')}\n`).join('');
  return new Set((await run('sh', ['-c', EXTRACT], { stdin })).toString().split('\n').filter(Boolean).map(Number));
}

/** The part of a tree below a directory. */
function subtree(tree: Tree, directory: string): Tree {
  const below = [...tree].filter(([path]) => path.startsWith(`${directory}/`));
  const root = tree.get(directory);
  return new Map([
    ...(root ? [['.', root] as const] : []),
    ...below.map(([path, entry]) => [path.slice(directory.length + 1), entry] as const),
  ]);
}

/**
 * Where GNU tar promises no facts beside type and content: directories that the tar does not name, or names several times;
 * and what stands where a directory stood before, which gets the facts of that.
 */
function loosePaths(extracted: Tree, tar: RandomTar): Set<string> {
  const named = directoriesOf(tar);
  const times = new Set(tar.entries.filter(({ type }) => type === '5').map(({ mtime }) => BigInt(mtime ?? 0)));
  const isLoose = (path: string, { type, mtime }: TreeEntry): boolean =>
    type === 'directory' ? named.get(path) !== 1 : times.has(BigInt.asIntN(64, floorDivide(mtime, 1_000_000_000n)));
  return new Set([...extracted].flatMap(([path, entry]) => (isLoose(path, entry) ? [path] : [])));
}

function floorDivide(value: bigint, by: bigint): bigint {
  return value >= 0n ? value / by : -((-value + by - 1n) / by);
}

/** Leaves out the facts of some paths. */
function promised(tree: Tree, loose: ReadonlySet<string>): Tree {
  const bare = { mode: 0, uid: 0, gid: 0, mtime: 0n, xattrs: {} };
  return new Map([...tree].map(([path, entry]) => [path, loose.has(path) ? { ...entry, ...bare } : entry]));
}

/** What GNU tar takes, but no layer can hold: its own removal of a symlink makes it find another file under that path. */
const refused = /stands where a symlink on its own way does/;

/**
 * How often a tar names each directory. Twice, for GNU tar, is also one that it had to make before for what is in it; and
 * none is counted where symlinks may lead to any of them.
 */
function directoriesOf({ entries }: RandomTar): Map<string, number> {
  const named = new Map<string, number>();
  const made = new Set<string>();
  const symlinks = new Set<string>();
  for (const { name, type } of entries) {
    const parts = Buffer.from(name).toString('latin1').split('/');
    const clean = parts.filter((part) => part !== '' && part !== '.');
    const path = clean.join('/') || '.';
    const above = clean.map((_, depth) => clean.slice(0, depth).join('/')).slice(1);
    if (above.some((one) => symlinks.has(one))) return new Map();
    if (type === '2') symlinks.add(path);
    if (type === '5') named.set(path, (named.get(path) ?? 0) + (made.has(path) ? 2 : 1));
    for (const one of above) made.add(one);
  }
  return named;
}

asRoot(`layers of ${SEEDS.length} random tars show what GNU tar extracts, from seed ${FIRST} on`, async (t) => {
  t.timeout(3_600_000);
  const scratch = mkdtempSync(join(tmpdir(), 'crfs-extraction-'));
  t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
  const deflater = new Deflater({ workers: 1, level: 1 });
  t.teardown(() => deflater.close());
  t.log(`seeds ${FIRST} to ${FIRST + SEEDS.length - 1}`);
  const tars = new Map(SEEDS.map((seed) => [seed, randomTar(seed)]));
  for (const [seed, { bytes }] of tars) writeFileSync(join(scratch, `${seed}.tar`), bytes);
  mkdirSync(join(scratch, 'out'));
  const at = (seed: number, what: string): string => join(scratch, 'out', `${seed}-${what}`, BELOW);
  const failed = await extract(SEEDS.map((seed) => [seed, join(scratch, `${seed}.tar`), at(seed, 'tar')]));
  const shown = new Map<number, Tree>();
  const wrong: string[] = [];
  for (const [seed, { bytes: _bytes, entries: _entries, ...options }] of tars) {
    const layer = join(scratch, `${seed}.esgz`);
    try {
      await convertFile(join(scratch, `${seed}.tar`), layer, { ...options, deflater });
      shown.set(seed, await describeLayer(layer, scratch));
      wrong.push(...checkChunks(readLayer(layer)).map((what) => `seed ${seed}: ${what}`));
    } catch (error) {
      const isRight = error instanceof CrfsError && (failed.has(seed) || refused.test(error.message));
      if (!isRight) wrong.push(`seed ${seed}: ${(error as Error).message}`);
    }
  }
  const compared = [...shown.keys()].filter((seed) => !failed.has(seed));
  await extract(compared.map((seed) => [seed, join(scratch, `${seed}.esgz`), at(seed, 'layer')]));
  const all = await describeTree(join(scratch, 'out'));
  for (const seed of compared) {
    const extracted = subtree(all, `${seed}-tar/${BELOW}`);
    const loose = loosePaths(extracted, tars.get(seed) as RandomTar);
    const expected = promised(extracted, loose);
    for (const [what, tree] of [
      ['shows', shown.get(seed) as Tree],
      ['extracts to', subtree(all, `${seed}-layer/${BELOW}`)],
    ] as const) {
      const differences = compareTrees(promised(tree, loose), expected);
      wrong.push(...differences.map((line) => `seed ${seed} ${what}: ${line}`));
    }
  }
  t.deepEqual(wrong, []);
  t.true(SEED !== undefined || compared.length > SEEDS.length / 10, `compared ${compared.length}`);
  t.log(`compared ${compared.length}`);
});
