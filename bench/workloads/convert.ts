// SPDX-License-Identifier: GPL-3.0-or-later

/** Workload 5: a tar made a layer, next to gzip of the same tar. */

import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkChunks, readLayer } from '../../test/tools/read-layer.js';
import { run } from '../../test/tools/run.js';
import type { Bench } from '../bench.js';
import { cat } from '../page-cache.js';
import { crfs } from '../paths.js';

interface Way {
  readonly name: string;
  /** A shell command, of the tar $1 to the file $2. */
  readonly command: string;
  /** Throws if the file is not the tar's layer. */
  readonly check: (tar: string, made: string) => Promise<void>;
}

const cores = availableParallelism();

const compressors = {
  gzip: { name: 'gzip -6', command: 'exec gzip -6 -c "$1" >"$2"', check: sameTar },
  pigz: { name: `pigz -6 -p${cores}`, command: `exec pigz -6 -p${cores} -c "$1" >"$2"`, check: sameTar },
} satisfies Record<string, Way>;
export type CompressorName = keyof typeof compressors;

const ours: Way = {
  name: 'crfs stargzify',
  command: `exec "${crfs}" stargzify --json "$1" "$2" >/dev/null`,
  check: soundLayer,
};

export async function convert(bench: Bench): Promise<void> {
  const { tar } = await bench.data.debian();
  const directory = mkdtempSync(join(tmpdir(), 'crfs-bench-convert-'));
  const remove = bench.undo.add(async () => rmSync(directory, { recursive: true, force: true }));
  const made = join(directory, 'layer');
  const used = join(directory, 'used');
  for (let turn = 0; turn < bench.plan.few; turn++) {
    for (const { name, command, check } of [...bench.plan.compressors.map((tool) => compressors[tool]), ours]) {
      await cat(tar);
      await run(bench.native.usage, [used, 'sh', '-c', command, 'sh', tar, made]);
      if (turn === 0) await check(tar, made);
      const [nanoseconds = 0, cpuMicroseconds = 0, kib = 0] = readFileSync(used, 'utf8').split(' ').map(Number);
      const question = { workload: 5, what: 'convert a Debian root file system' } as const;
      bench.record({ ...question, metric: 'time', unit: 's' }, name, nanoseconds / 1e9);
      bench.record({ ...question, metric: 'CPU time', unit: 's' }, name, cpuMicroseconds / 1e6);
      bench.record({ ...question, metric: 'peak memory', unit: 'MB' }, name, (kib * 1024) / 1e6);
      bench.record({ ...question, metric: 'size', unit: 'MB' }, name, statSync(made).size / 1e6);
      rmSync(made);
    }
  }
  await remove();
}

async function sameTar(tar: string, made: string): Promise<void> {
  await run('sh', ['-c', 'gzip -dc "$2" | cmp - "$1"', 'sh', tar, made]);
}

async function soundLayer(_tar: string, made: string): Promise<void> {
  const [wrong] = checkChunks(readLayer(made));
  if (wrong !== undefined) throw new Error(`crfs stargzify: ${wrong}`);
}
