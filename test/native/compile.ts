// SPDX-License-Identifier: GPL-3.0-or-later

import { spawn } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
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
  plugin: async (): Promise<string[]> => {
    return [...index, ...(await sourcesIn('csrc/client')), ...(await sourcesIn('csrc/plugin'))];
  },
} as const;

async function sourcesIn(directory: string): Promise<string[]> {
  const names = await readdir(join(root, directory));
  return names.filter((name) => name.endsWith('.c')).map((name) => `${directory}/${name}`);
}

export interface Program {
  readonly name: string;
  readonly sources: readonly string[];
  readonly watch: Watch;
}

/** Compiles test/native/NAME.c with other SOURCES, warnings being errors. Resolves to the program's path. */
export async function compile(program: Program): Promise<string> {
  const directory = join(root, 'dist/native');
  const path = join(directory, `${program.name}.${program.watch}`);
  await mkdir(directory, { recursive: true });
  const options = ['-std=gnu11', '-g', '-Wall', '-Wextra', '-Werror', '-D_GNU_SOURCE', '-D_FILE_OFFSET_BITS=64'];
  const include = ['-Icsrc', '-Itest', '-pthread'];
  const sources = [`test/native/${program.name}.c`, ...program.sources];
  await run(
    process.env['CC'] ?? 'gcc',
    [...options, ...flags[program.watch], ...include, '-o', path, ...sources, '-ldl'],
    {
      cwd: root,
    },
  );
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
