// SPDX-License-Identifier: GPL-3.0-or-later

// Plants small mistakes, one at a time, and tells which of them the tests notice.
//
//   npm run mutants -- [--list] [--jobs N] [NAME...]      NAME: a mutant, or the start of several
//
// test/mutants/*.json hold them: {"name", "file", "find", "put", "tests", "why"}. `find` stands in `file` exactly once and
// is replaced by `put`; the mistake is noticed if one of `tests` (below test/, without .test.ts) then fails. A mutant
// with "harmless" changes nothing that can be seen, and says why: it is not run. All runs in copies of the checkout
// below dist/mutants. Ends with 1 if a mistake goes unnoticed, or cannot be planted.

import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const top = join(import.meta.dirname, '..');
const LINKED = ['node_modules', 'bin', 'docs', 'scripts', 'demo', 'README.md', 'LICENSE', 'Makefile'];
const COPIED = [
  'src',
  'csrc',
  'test',
  'bench',
  'dist/src',
  'dist/test',
  'dist/bench',
  'dist/.tsbuildinfo',
  'crfs-plugin.so',
];
const PLAIN = ['package.json', 'package-lock.json', 'tsconfig.json', 'binding.gyp', '.npmrc'];
const LONGEST_MS = 15 * 60_000;

const { values, positionals } = parseArgs({
  options: { list: { type: 'boolean' }, jobs: { type: 'string', default: '1' } },
  allowPositionals: true,
});

/** Resolves to whether the command ended with 0, and what it printed. */
function run(cwd, command, args) {
  return new Promise((resolve) => {
    execFile(
      command,
      args,
      { cwd, timeout: LONGEST_MS, maxBuffer: 1 << 26, env: { ...process.env, CI: '1', NO_COLOR: '1' } },
      (error, stdout, stderr) => resolve({ ok: error === null, output: stdout + stderr }),
    );
  });
}

function readMutants() {
  const directory = join(top, 'test/mutants');
  const files = readdirSync(directory).filter((name) => name.endsWith('.json'));
  const all = files.flatMap((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')));
  const names = new Set(all.map(({ name }) => name));
  if (names.size !== all.length) throw new Error('two mutants have one name');
  return all.filter(({ name }) => positionals.length === 0 || positionals.some((wanted) => name.startsWith(wanted)));
}

/** The text of a mutant's file with the mistake in it; throws where it cannot be planted. */
function planted({ name, file, find, put }) {
  const parts = readFileSync(join(top, file), 'utf8').split(find);
  if (parts.length !== 2) throw new Error(`${name}: found ${parts.length - 1} times in ${file}, not once`);
  return parts.join(put);
}

/** A copy of the checkout, built, in which one mistake at a time is planted. */
class Copy {
  constructor(number) {
    this.path = join(top, 'dist/mutants', String(number));
    rmSync(this.path, { recursive: true, force: true });
    mkdirSync(join(this.path, 'dist'), { recursive: true });
    for (const name of LINKED) if (existsSync(join(top, name))) symlinkSync(join(top, name), join(this.path, name));
    for (const name of [...COPIED, ...PLAIN]) {
      if (existsSync(join(top, name))) cpSync(join(top, name), join(this.path, name), { recursive: true });
    }
    cpSync(join(top, 'build/Release/crfs_addon.node'), join(this.path, 'build/Release/crfs_addon.node'));
    cpSync(join(top, 'crfs-plugin.so'), join(this.path, 'build/Release/crfs-plugin.so'));
  }

  async build(file) {
    if (!file.startsWith('csrc/')) return await run(this.path, 'npx', ['tsc', '--noCheck']);
    const built = await run(this.path, 'node', ['scripts/build-native.mjs']);
    if (built.ok) cpSync(join(this.path, 'build/Release/crfs-plugin.so'), join(this.path, 'crfs-plugin.so'));
    return built;
  }

  async test(tests) {
    return await run(this.path, 'npx', ['ava', ...tests.map((name) => `dist/test/${name}.test.js`)]);
  }

  /** 'noticed', or what else happened. */
  async judge(mutant) {
    const { file, tests } = mutant;
    const right = readFileSync(join(top, file), 'utf8');
    try {
      writeFileSync(join(this.path, file), planted(mutant));
      const built = await this.build(file);
      if (!built.ok) return `does not build: ${built.output.trim().split('\n').at(-1)}`;
      const { ok } = await this.test(tests);
      return ok ? 'UNNOTICED' : 'noticed';
    } catch (error) {
      return error.message;
    } finally {
      writeFileSync(join(this.path, file), right);
      await this.build(file);
    }
  }
}

const mutants = readMutants();
if (values.list) {
  for (const { name, file, why, harmless } of mutants) {
    process.stdout.write(`${name}  ${file}: ${why}${harmless ? ` (harmless: ${harmless})` : ''}\n`);
  }
  process.exit(0);
}

const waiting = mutants.filter(({ harmless }) => harmless === undefined);
const total = waiting.length;
let noticed = 0;
const work = async (number) => {
  const copy = new Copy(number);
  for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
    const verdict = await copy.judge(mutant);
    if (verdict === 'noticed') noticed++;
    process.stdout.write(`${verdict.padEnd(10)} ${mutant.name}  ${mutant.file}: ${mutant.why}\n`);
  }
};

// A test that fails anyway notices nothing.
const sound = await new Copy(0).test([...new Set(waiting.flatMap(({ tests }) => tests))]);
if (!sound.ok) {
  process.stderr.write(`${sound.output.slice(-4000)}\nthe tests fail without any mistake\n`);
  process.exit(1);
}
await Promise.all(Array.from({ length: Number(values.jobs) }, (_, number) => work(number)));
process.stdout.write(`${noticed} of ${total} mistakes noticed\n`);
process.exitCode = noticed === total ? 0 : 1;
