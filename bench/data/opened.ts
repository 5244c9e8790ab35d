// SPDX-License-Identifier: GPL-3.0-or-later

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readLayer } from '../../test/tools/read-layer.js';
import { run } from '../../test/tools/run.js';
import type { Bench } from '../bench.js';
import { tuned } from '../machines/contenders.js';
import type { Debian } from './data.js';

/**
 * The files that programs open in a container, in the order of their first opens. The cache tells: without readahead it
 * holds what was opened, by the digests that the TOC has.
 */
export async function filesOpened(
  bench: Bench,
  debian: Debian,
  programs: readonly (readonly string[])[],
): Promise<string[]> {
  const names = new Map<string, string>();
  for (const { digest, name, type } of readLayer(debian.path).entries) {
    if (type === 'reg' && digest !== undefined && !names.has(digest)) names.set(digest, name);
  }
  const opened: { readonly name: string; readonly at: number }[] = [];
  await bench.onMachine(tuned('no readahead', { CRFS_READAHEAD: '0' }), async (machine) => {
    const { merged } = await machine.mount(debian);
    for (const program of programs) await run('chroot', [merged, ...program]);
    for (const entry of readdirSync(machine.objects, { recursive: true, withFileTypes: true })) {
      const name = names.get(`sha256:${entry.name}`);
      if (name !== undefined) opened.push({ name, at: statSync(join(entry.parentPath, entry.name)).ctimeMs });
    }
  });
  return opened.sort((a, b) => a.at - b.at).map(({ name }) => name);
}
