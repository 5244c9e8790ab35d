// SPDX-License-Identifier: GPL-3.0-or-later

/** The helpers in C: what is measured in microseconds must not wait for Node. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../test/tools/run.js';
import { top } from '../paths.js';

export interface Native {
  /** Paths of the programs. */
  readonly reader: string;
  readonly ranges: string;
  readonly usage: string;
}

/** Compiles them. */
export async function buildNative(): Promise<Native> {
  const directory = join(top, 'build/bench');
  mkdirSync(directory, { recursive: true });
  const build = async (name: string): Promise<string> => {
    const program = join(directory, name);
    await run('cc', ['-O2', '-D_GNU_SOURCE', '-o', program, join(top, 'bench/native', `${name}.c`)]);
    return program;
  };
  return { reader: await build('reader'), ranges: await build('ranges'), usage: await build('usage') };
}
