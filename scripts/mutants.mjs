// SPDX-License-Identifier: GPL-3.0-or-later

// Plants small mistakes, one at a time, and tells which of them the tests notice.
//
//   npm run mutants -- [--list] [--jobs N] [NAME...]      NAME: a mutant, or the start of several
//
// --list tells them all, runs none, and ends with 1 if one does not fit the code any more.
//
// test/mutants/*.json hold them: {"name", "file", "find", "put", "tests", "why"}. `find` stands in `file` exactly once and
// is replaced by `put`; the mistake is noticed if one of `tests` (below test/, without .test.ts) then fails. Of a file that
// takes long, "match" says which titles are enough, as ava's --match. All are run without any mistake before: a test that
// fails anyway notices nothing. A mutant with "harmless" changes nothing that can be seen, and says why: it is not run.
// All runs in copies of the checkout below dist/mutants, which go in the end. Ends with 1 if a mistake goes unnoticed, or
// cannot be planted.

import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { transformSync } from '@swc/core';

const top = join(import.meta.dirname, '..');
const copies = join(top, 'dist/mutants');
const LINKED = ['node_modules', 'docs', 'scripts', 'README.md', 'LICENSE', 'Makefile'];
// bin/crfs runs what it finds beside its real place; of the native parts, what a mistake concerns is built again
const COPIED = ['bin', 'src', 'csrc', 'test', 'bench', 'build/Release', 'dist/src', 'dist/test', 'dist/bench'];
const PROGRAMS = ['crfs-plugin.so', 'crfs-lower']; // copied out of the build
const PLAIN = ['package.json', 'package-lock.json', 'tsconfig.json', 'binding.gyp', '.npmrc', ...PROGRAMS];
const BUILT = ['build/Release/crfs_addon.node', ...PROGRAMS.flatMap((name) => [`build/Release/${name}`, name])];
const AVA = join(top, 'node_modules/ava/entrypoints/cli.mjs');
const COMPILED = { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, configFile: false, swcrc: false };
const LONGEST_MS = 15 * 60_000;

const { values, positionals } = parseArgs({
  options: { list: { type: 'boolean' }, jobs: { type: 'string', default: '1' } },
  allowPositionals: true,
});

function readMutants() {
  const directory = join(top, 'test/mutants');
  const files = readdirSync(directory).filter((name) => name.endsWith('.json'));
  const all = files.flatMap((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')));
  const names = new Set(all.map(({ name }) => name));
  if (names.size !== all.length) throw new Error('two mutants have one name');
  return all.filter(({ name }) => positionals.length === 0 || positionals.some((wanted) => name.startsWith(wanted)));
}

const mutants = readMutants();
const describe = ({ name, file, why }) => `${name}  ${file}: ${why}`;
if (values.list) {
  for (const mutant of mutants) {
    process.stdout.write(`${describe(mutant)}${mutant.harmless ? ` (harmless: ${mutant.harmless})` : ''}\n`);
    const wrong = whyNotPlanted(mutant);
    if (wrong === undefined) continue;
    process.stderr.write(`${mutant.name} cannot be planted: ${wrong}\n`);
    process.exitCode = 1;
  }
  process.exit();
}

/** What tests leave when they are ended is in it: daemons end when their caches go. */
const scratch = mkdtempSync(join(tmpdir(), 'crfs-mutants-'));
chmodSync(scratch, 0o755);

/** The commands that run, each the leader of a process group. */
const running = new Set();

function end(child) {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // it has ended
  }
}

function leaveNothing() {
  for (const child of running) end(child);
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.toReversed()) if (mount.startsWith(`${scratch}/`)) spawnSync('umount', ['-l', mount]);
  for (const path of [scratch, copies]) rmSync(path, { recursive: true, force: true, maxRetries: 5 });
}

process.on('exit', leaveNothing);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

/** Runs a program of Node.js. Resolves to whether it ended with 0, and what it printed until then. */
function run(cwd, program, args) {
  return new Promise((resolve) => {
    const env = { ...process.env, CI: '1', NO_COLOR: '1', TMPDIR: scratch };
    const child = spawn(process.execPath, [program, ...args], {
      cwd,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const timer = setTimeout(() => end(child), LONGEST_MS);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (output += part));
    running.add(child);
    child.once('exit', (code) => {
      clearTimeout(timer);
      running.delete(child);
      resolve({ ok: code === 0, output });
    });
  });
}

/** The text of a mutant's file with the mistake in it; throws where it cannot be planted. */
function planted({ file, find, put }) {
  const parts = readFileSync(join(top, file), 'utf8').split(find);
  if (parts.length !== 2) throw new Error(`found ${parts.length - 1} times, not once`);
  return parts.join(put);
}

/** Undefined for a mutant that can be planted, and whose tests are there. */
function whyNotPlanted(mutant) {
  try {
    planted(mutant);
  } catch (error) {
    return error.message;
  }
  const missing = mutant.tests.find((name) => !existsSync(join(top, 'test', `${name}.test.ts`)));
  return missing && `there is no test/${missing}.test.ts`;
}

/** By test, and titles of it: whether it passes without any mistake. */
const sound = new Map();

/** A copy of the checkout, built, in which one mistake at a time is planted. */
class Copy {
  /** Whether the native parts have to be built before the next tests. */
  #isStale = false;

  constructor(number) {
    this.path = join(copies, String(number));
    rmSync(this.path, { recursive: true, force: true });
    mkdirSync(join(this.path, 'dist'), { recursive: true });
    for (const name of LINKED) if (existsSync(join(top, name))) symlinkSync(join(top, name), join(this.path, name));
    for (const name of [...COPIED, ...PLAIN]) {
      if (!existsSync(join(top, name))) continue;
      cpSync(join(top, name), join(this.path, name), { recursive: true, preserveTimestamps: true });
    }
  }

  /** Has a file say this; of TypeScript, that file alone is compiled. */
  #write(file, text) {
    writeFileSync(join(this.path, file), text);
    if (file.startsWith('csrc/')) this.#isStale = true;
    else writeFileSync(join(this.path, 'dist', file.replace(/ts$/, 'js')), transformSync(text, COMPILED).code);
  }

  /** Has a file, and what was built with another text of it, be as in the checkout. */
  #restore(file) {
    this.#write(file, readFileSync(join(top, file), 'utf8'));
    if (!this.#isStale) return;
    for (const name of BUILT) cpSync(join(top, name), join(this.path, name)); // the next build takes the file in
    this.#isStale = false;
  }

  async #build() {
    if (!this.#isStale) return;
    const built = await run(this.path, 'scripts/build-native.mjs', []);
    if (!built.ok) throw new Error(`does not build: ${built.output.trim().slice(-2000)}`);
    for (const name of PROGRAMS) cpSync(join(this.path, 'build/Release', name), join(this.path, name));
    this.#isStale = false;
  }

  async #passes(tests, match) {
    await this.#build();
    const files = tests.map((name) => `dist/test/${name}.test.js`);
    return await run(this.path, AVA, [...(match ? ['--match', match] : []), ...files]);
  }

  async #isSound(test, match) {
    const { ok, output } = await this.#passes([test], match);
    if (!ok) process.stderr.write(`${output.slice(-4000)}\n`);
    return ok;
  }

  /** 'noticed', or what else happened. */
  async judge(mutant) {
    const { file, tests, match } = mutant;
    let text;
    try {
      text = planted(mutant);
      for (const test of tests) {
        const key = `${test} ${match ?? ''}`;
        if (!sound.has(key)) sound.set(key, this.#isSound(test, match));
        if (!(await sound.get(key))) throw new Error(`${key.trimEnd()} fails without any mistake`);
      }
      this.#write(file, text);
      return (await this.#passes(tests, match)).ok ? 'UNNOTICED' : 'noticed';
    } catch (error) {
      return error.message;
    } finally {
      if (text !== undefined) this.#restore(file);
    }
  }
}

const waiting = mutants.filter(({ harmless }) => harmless === undefined);
const total = waiting.length;
const left = [];
const work = async (number) => {
  const copy = new Copy(number);
  for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
    const began = Date.now();
    const verdict = await copy.judge(mutant);
    const line = `${verdict}  ${describe(mutant)}`;
    if (verdict !== 'noticed') left.push(line);
    process.stdout.write(`${line} (${Math.round((Date.now() - began) / 1000)} s)\n`);
  }
};

await Promise.all(Array.from({ length: Number(values.jobs) }, (_, number) => work(number)));
process.stdout.write(`${total - left.length} of ${total} mistakes noticed${left.length > 0 ? '; not these:' : ''}\n`);
for (const line of left) process.stdout.write(`${line}\n`);
process.exit(left.length === 0 ? 0 : 1);
