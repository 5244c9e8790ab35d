// SPDX-License-Identifier: GPL-3.0-or-later

/** What containers-storage does with an additional layer store, step by step: drivers/overlay of that project, "additional layer". */

import { type FileHandle, open, readFile, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** A layer that a store has. */
export interface AdditionalLayer {
  /** Its directory. */
  readonly path: string;
  /** What `info` says. */
  readonly info: Readonly<Record<string, unknown>>;
}

/** Where a store has a layer: `reference` is left out for a store that is configured without `:ref`. */
export function layerPath(store: string, digest: string, reference?: string): string {
  return join(store, reference === undefined ? '' : Buffer.from(reference).toString('base64'), digest);
}

/** Looks for a layer, before it is pulled: whatever is wrong, it is not there, and is pulled. Notes the use of one that is. */
export async function lookUpLayer(path: string): Promise<AdditionalLayer | undefined> {
  try {
    for (const name of ['diff', 'info', 'blob']) await stat(join(path, name));
  } catch {
    return undefined;
  }
  await noteUse(path);
  return { path, info: JSON.parse(await readFile(join(path, 'info'), 'utf8')) as AdditionalLayer['info'] };
}

/** Tells the store that a layer is used once more. Rejects where that does not answer as stores do. */
export async function noteUse(path: string): Promise<void> {
  await expectNone(async () => await (await open(join(path, 'use'), 'w+', 0o666)).close());
}

/** Tells the store that a layer is used once less. */
export async function noteRelease(path: string): Promise<void> {
  await expectNone(async () => await rmdir(path));
}

async function expectNone(act: () => Promise<FileHandle | undefined | void>): Promise<void> {
  const code = await act().then(
    () => 'no error',
    (error: NodeJS.ErrnoException) => error.code,
  );
  if (code !== 'ENOENT') throw new Error(`a store answers ENOENT, not ${code}`);
}
