// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync, readdirSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type CacheLayout, type Kind, kinds } from '../disk/cache-layout.js';
import { stubsIn } from './stubs.js';

/** One file of the cache. */
export interface CacheFile {
  readonly kind: Kind;
  readonly path: string;
  /** What it takes on the disk. */
  readonly bytes: number;
  /** Its length: more than `bytes` where it is sparse. */
  readonly size: number;
  /** When it was last used, in ms since the epoch, as far as the file system notes it. */
  readonly used: number;
}

/** Every file of the cache, and every tree of stubs as one, one directory after the other. What goes away meanwhile is left out. */
export async function* cacheFiles(layout: CacheLayout): AsyncGenerator<CacheFile> {
  for (const { kind, path } of directoriesOf(layout)) {
    if (kind === 'stubs') {
      for (const stubs of await stubsIn(path)) yield { kind, size: stubs.bytes, ...stubs };
      continue;
    }
    const names = await readdir(path).catch(orNothing);
    const files = await Promise.all((names ?? []).map((name) => describe(kind, join(path, name))));
    for (const file of files) if (file) yield file;
  }
}

/** The directories that files are in: objects and drafts are spread over many. None, of a cache that no daemon has made yet. */
export function directoriesOf(layout: CacheLayout): { readonly kind: Kind; readonly path: string }[] {
  if (!existsSync(layout.objects)) return [];
  return kinds.flatMap((kind: Kind) => {
    const top = layout.directory(kind);
    const isSpread = kind === 'objects' || kind === 'drafts';
    const paths = isSpread ? readdirSync(top).map((two) => join(top, two)) : [top];
    return paths.map((path) => ({ kind, path }));
  });
}

async function describe(kind: Kind, path: string): Promise<CacheFile | undefined> {
  const found = await stat(path).catch(orNothing);
  if (found === undefined) return undefined;
  const { blocks, size, atimeMs, mtimeMs } = found;
  return { kind, path, size, bytes: blocks * 512, used: Math.max(atimeMs, mtimeMs) };
}

function orNothing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}

/** Files and bytes on the disk, by kind. */
export type Usage = Readonly<Record<Kind, { readonly files: number; readonly bytes: number }>>;

/** What the cache takes on the disk. */
export async function usageOf(layout: CacheLayout): Promise<Usage> {
  const usage = Object.fromEntries(kinds.map((kind) => [kind, { files: 0, bytes: 0 }])) as Record<
    Kind,
    { files: number; bytes: number }
  >;
  for await (const { kind, bytes } of cacheFiles(layout)) {
    usage[kind].files++;
    usage[kind].bytes += bytes;
  }
  return usage;
}
