// SPDX-License-Identifier: GPL-3.0-or-later

import { spawn } from 'node:child_process';
import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { once } from '../tools/once.js';
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
  served: async (): Promise<string[]> => {
    const own = await filesIn('csrc/lower', '.c');
    return [...(await parts.lazy()), ...own.filter((source) => !/\/(main|server)\.c$/.test(source))];
  },
  lower: async (): Promise<string[]> => [...(await parts.served()), 'test/native/fake-kernel.c'],
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
  const cflags = await fuse.cflags();
  for (const source of await filesIn(directory, '.c')) {
    const path = join(objects, `${source.replaceAll('/', '-')}.built.o`);
    await mkdir(objects, { recursive: true });
    await make(path, ['-std=gnu11', '-O2', '-fno-pie', '-D_GNU_SOURCE', '-Icsrc', ...cflags, '-c', source]);
    const listed = (await run('nm', [path])).toString();
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
export const fuse = {
  cflags: once(() => packageFlags('--cflags')),
  libs: once(() => packageFlags('--libs')),
};

async function packageFlags(which: string): Promise<string[]> {
  return (await run('pkg-config', [which, 'fuse3'])).toString().trim().split(/ +/);
}

const OPTIONS = ['-std=gnu11', '-g', '-Wall', '-Wextra', '-Werror', '-D_GNU_SOURCE', '-D_FILE_OFFSET_BITS=64'];
const COMPILERS = pLimit(availableParallelism());
const objects = join(root, 'dist/native');
let written = 0;

/** Has the compiler write a file: under another name first, as others may be using it, or making it too. */
async function make(path: string, args: readonly string[]): Promise<string> {
  const unfinished = `${path}.${process.pid}.${written++}`;
  await COMPILERS(() => run(process.env['CC'] ?? 'gcc', [...args, '-o', unfinished], { cwd: root }));
  await rename(unfinished, path);
  return path;
}

/** When any of the sources or headers was last changed: milliseconds. */
const newestSource = once(async () => {
  const changed = ['csrc', 'test/native'].map(async (directory) => {
    const names = await readdir(join(root, directory), { recursive: true });
    const sources = names.filter((name) => /\.[ch]$/.test(name));
    return await Promise.all(sources.map(async (name) => (await stat(join(root, directory, name))).mtimeMs));
  });
  return Math.max(...(await Promise.all(changed)).flat());
});

/** Compiles one source, unless that was done before, be it for another program. Resolves to the object's path. */
async function object(source: string, watch: Watch): Promise<string> {
  const path = join(objects, `${source.replaceAll('/', '-')}.${watch}.o`);
  const made = await stat(path).catch(() => undefined);
  if (made && made.mtimeMs > (await newestSource())) return path;
  const include = ['-Icsrc', '-Itest', '-pthread', ...(await fuse.cflags())];
  return await make(path, [...OPTIONS, ...flags[watch], ...include, '-c', source]);
}

/** Compiles test/native/NAME.c with other SOURCES, warnings being errors. Resolves to the program's path. */
export async function compile({ name, sources, watch }: Program): Promise<string> {
  await mkdir(objects, { recursive: true });
  const made = await Promise.all([`test/native/${name}.c`, ...sources].map((source) => object(source, watch)));
  const lazy = sources.some((source) => source.startsWith('csrc/lazy/'));
  const libraries = ['-ldl', ...(lazy ? await fuse.libs() : [])];
  return await make(join(objects, `${name}.${watch}`), [...flags[watch], '-pthread', ...made, ...libraries]);
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
