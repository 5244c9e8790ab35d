// SPDX-License-Identifier: GPL-3.0-or-later

import { join } from 'node:path';
import { top } from './machine.js';
import { run } from './run.js';

const FLAGS = ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-D_GNU_SOURCE'];
/** What makes a library of a source, for LD_PRELOAD. */
export const SHIM = ['-shared', '-fPIC', '-ldl'];

/** Compiles a source of the checkout to `path`, warnings being errors; by default a program. */
export async function cc(source: string, path: string, options: readonly string[] = []): Promise<void> {
  await run(process.env['CC'] ?? 'gcc', [...FLAGS, '-o', path, join(top, source), ...options]);
}
