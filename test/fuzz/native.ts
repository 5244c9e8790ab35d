// SPDX-License-Identifier: GPL-3.0-or-later

/** The fuzz targets in C: what each is compiled of, and how libFuzzer runs it. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fuse, parts } from '../native/compile.js';
import { run } from '../tools/run.js';

/** The checkout; not by way of what imports ava, which runs under its own command alone. */
const top = fileURLToPath(new URL('../../..', import.meta.url));

/** Of libFuzzer, by name: test/fuzz/NAME.c and these sources. */
export const native: Readonly<Record<string, () => Promise<readonly string[]>>> = {
  index: async () => ['csrc/shared/index-tables.c', 'csrc/shared/index.c', 'csrc/shared/parts.c'],
  ring: async () => [],
  trace: async () => [],
  control: async () => ['csrc/client/control.c', 'csrc/client/report.c'],
  config: async () => ['csrc/plugin/config.c', 'csrc/client/report.c'],
  lower: parts.served,
};

/** The compiler with libFuzzer, or undefined. */
export async function findClang(): Promise<string | undefined> {
  for (const name of ['clang', 'clang-14']) {
    const found = await run(name, ['--version']).then(
      () => true,
      () => false,
    );
    if (found) return name;
  }
  return undefined;
}

/** Compiles a target. Resolves to the program's path. */
export async function compileFuzzer(clang: string, name: string): Promise<string> {
  const directory = join(top, 'dist/fuzz');
  mkdirSync(directory, { recursive: true });
  const program = join(directory, name);
  const sources = [`test/fuzz/${name}.c`, ...((await native[name]?.()) ?? [])];
  const options = [
    '-std=gnu11',
    '-g',
    '-O1',
    '-D_GNU_SOURCE',
    '-D_FILE_OFFSET_BITS=64',
    '-Icsrc',
    '-Itest',
    '-pthread',
    '-fsanitize=fuzzer,address,undefined',
    '-fno-sanitize-recover=all',
    ...(await fuse.cflags()),
  ];
  await run(clang, [...options, '-o', program, ...sources, ...(await fuse.libs())], { cwd: top });
  return program;
}

/** Runs a target for so many seconds, from the corpus in the repository. Resolves to how often; rejects with a crash. */
export async function fuzzNative(program: string, name: string, seconds: number): Promise<number> {
  const found = join(top, 'dist/fuzz', `${name}.corpus`);
  mkdirSync(found, { recursive: true });
  const limits = [`-max_total_time=${seconds}`, '-max_len=24576', '-timeout=60', '-rss_limit_mb=1024'];
  const crashes = `-artifact_prefix=${join(top, 'dist/fuzz', `${name}-`)}`;
  const stats = '-print_final_stats=1';
  const script = 'exec "$@" 2>&1';
  const args = [program, ...limits, crashes, stats, found, join(top, 'test/fuzz/corpus', name)];
  const output = String(await run('sh', ['-c', `(${script}) || { tail -c 3000 >&2; exit 1; }`, 'fuzz', ...args]));
  return Number(/number_of_executed_units:\s*(\d+)/.exec(output)?.[1]);
}
