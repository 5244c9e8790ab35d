// SPDX-License-Identifier: GPL-3.0-or-later

import { spawn } from 'node:child_process';
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../tools/run.js';

const root = join(import.meta.dirname, '../../..');

/** What watches a program while it runs. */
export type Watch = 'address' | 'thread' | 'none';

const flags: Readonly<Record<Watch, readonly string[]>> = {
  address: ['-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
  thread: ['-O1', '-fsanitize=thread'],
  none: ['-O2'],
};

const index = ['csrc/shared/index-tables.c', 'csrc/shared/index.c', 'csrc/shared/parts.c', 'test/native/sample.c'];

/** The sources that test programs are made of, beside their own. */
export const parts = {
  index,
  daemon: [...index, ...['answers', 'files', 'requests'].map((part) => `test/native/fake-daemon-${part}.c`)],
  client: async (): Promise<string[]> => [...index, ...(await filesIn('csrc/client', '.c'))],
  lazy: async (): Promise<string[]> => [...(await parts.client()), ...(await filesIn('csrc/lazy', '.c'))],
  plugin: async (): Promise<string[]> => [...(await parts.lazy()), ...(await filesIn('csrc/plugin', '.c'))],
  host: async (): Promise<string[]> => [...(await parts.plugin()), 'test/native/host.c'],
} as const;

/** The files of a folder, by the checkout, whose names end so. */
export async function filesIn(directory: string, end: string): Promise<string[]> {
  const names = await readdir(join(root, directory));
  return names.filter((name) => name.endsWith(end)).map((name) => `${directory}/${name}`);
}

export interface Symbol {
  readonly name: string;
  /** A letter, as `nm` has it. */
  readonly type: string;
}

/** Compiles the sources of a folder as the build does. Resolves to the symbols of all, variables of functions included. */
export async function symbolsOf(directory: string): Promise<Symbol[]> {
  const symbols: Symbol[] = [];
  const cflags = await fuse('--cflags');
  for (const source of await filesIn(directory, '.c')) {
    const object = join(root, 'dist/native', source.replaceAll('/', '-').replace(/c$/, 'o'));
    await mkdir(join(root, 'dist/native'), { recursive: true });
    const options = ['-std=gnu11', '-O2', '-fno-pie', '-D_GNU_SOURCE', '-Icsrc', ...cflags, '-c', '-o', object, source];
    await run(process.env['CC'] ?? 'gcc', options, { cwd: root });
    const listed = (await run('nm', [object])).toString();
    for (const [, type = '', name = ''] of listed.matchAll(/^[\da-f ]{16} (\w) (\S+)$/gm)) symbols.push({ name, type });
  }
  return symbols;
}

export interface Program {
  readonly name: string;
  readonly sources: readonly string[];
  readonly watch: Watch;
}

/** What a compiler is told of libfuse. */
async function fuse(what: '--cflags' | '--libs'): Promise<string[]> {
  return (await run('pkg-config', [what, 'fuse3'])).toString().trim().split(/ +/);
}

let compiled = 0;

/** Compiles test/native/NAME.c with other SOURCES, warnings being errors. Resolves to the program's path. */
export async function compile(program: Program): Promise<string> {
  const directory = join(root, 'dist/native');
  const path = join(directory, `${program.name}.${program.watch}`);
  await mkdir(directory, { recursive: true });
  const options = ['-std=gnu11', '-g', '-Wall', '-Wextra', '-Werror', '-D_GNU_SOURCE', '-D_FILE_OFFSET_BITS=64'];
  const include = ['-Icsrc', '-Itest', '-pthread', ...(await fuse('--cflags'))];
  const lazy = program.sources.some((source) => source.startsWith('csrc/lazy/'));
  const libraries = ['-ldl', ...(lazy ? await fuse('--libs') : [])];
  const sources = [`test/native/${program.name}.c`, ...program.sources];
  const unfinished = `${path}.${process.pid}.${compiled++}`; // others may be running the program, or compiling it too
  await run(
    process.env['CC'] ?? 'gcc',
    [...options, ...flags[program.watch], ...include, '-o', unfinished, ...sources, ...libraries],
    {
      cwd: root,
    },
  );
  await rename(unfinished, path);
  return path;
}

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, whatever that is. */
export async function outcomeOf(path: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Outcome> {
  const child = spawn(path, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { code, stdout, stderr };
}
