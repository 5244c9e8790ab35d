// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Which images layers of the cache are of. A note for each name by which an image was mounted or fetched; beside it, as long
 * as the image is pinned, an empty file: so whoever pins it and whoever writes the note are not in each other's way.
 */

import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { digestIn } from '../blob/digest.js';
import { blocksOf, type CacheLayout, tocOf } from '../disk/cache-layout.js';
import { putFile } from '../disk/put-file.js';
import { CrfsError } from '../errors/error.js';
import { indexedIdentity, readRecord } from './records.js';

const noteSchema = v.object({
  name: v.string(),
  resolved: v.string(),
  config: v.optional(v.nullable(v.string()), null),
  layers: v.array(
    v.object({
      identity: v.string(),
      digest: v.nullable(v.string()),
      size: v.nullable(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
    }),
  ),
});

/** What an image's name stood for when it was last asked for. */
export interface ImageNote {
  /** As configurations name it, without credentials: `docker://host/img:tag`. */
  readonly name: string;
  /** By digest: leads to the very same layers. */
  readonly resolved: string;
  /** The digest of its config, which may be kept beside its manifest; null: it has none. */
  readonly config: string | null;
  /** The base first. */
  readonly layers: readonly {
    /** Which bytes its blob has: what the cache calls it by. */
    readonly identity: string;
    readonly digest: string | null;
    /** Of the blob, in bytes, where a manifest says it. */
    readonly size: number | null;
  }[];
}

export interface CachedImage extends ImageNote {
  readonly pinned: boolean;
  /** When it was last asked for: ms since the epoch. */
  readonly used: number;
}

/** All images that the cache knows of, those that were asked for last first. What is no note is left out. */
export function cachedImages(layout: CacheLayout): CachedImage[] {
  const directory = layout.directory('images');
  if (!existsSync(directory)) return [];
  const names = new Set(readdirSync(directory));
  const notes = [...names].flatMap((name) => readNote(join(directory, name), names.has(`${name}${PIN}`)));
  return notes.sort((a, b) => b.used - a.used);
}

/** What is known of the image with this name, or that names just the same. Throws CRFS_NOT_FOUND. */
export function noteOf(layout: CacheLayout, name: string): CachedImage {
  const images = cachedImages(layout);
  const found = images.find((image) => image.name === name) ?? images.find((image) => image.resolved === name);
  if (found !== undefined) return found;
  throw new CrfsError('CRFS_NOT_FOUND', `the cache holds nothing of ${name}: \`crfs cache ls\` lists what it holds`);
}

const PIN = '.pin';

function readNote(path: string, pinned: boolean): CachedImage[] {
  if (path.endsWith(PIN)) return [];
  try {
    const { success, output } = v.safeParse(noteSchema, JSON.parse(readFileSync(path, 'utf8')));
    return success ? [{ ...output, pinned, used: statSync(path).mtimeMs }] : [];
  } catch {
    return []; // it has just been removed, or is none
  }
}

/** Notes what a name stands for now. Throws as the file system does. */
export function noteImage(layout: CacheLayout, note: ImageNote): void {
  putFile(layout, layout.image(note.name), `${JSON.stringify(note)}\n`);
}

/** Has an image kept, or no longer, whatever the cache takes. Throws as the file system does. */
export function pinImage(layout: CacheLayout, { name }: ImageNote, pinned: boolean): void {
  const path = `${layout.image(name)}${PIN}`;
  if (pinned) writeFileSync(path, '', { mode: 0o600 });
  else rmSync(path, { force: true });
}

/** The records of its layers that are known by indexes which are attached to it. */
export function indexedRecords(layout: CacheLayout, { layers, resolved }: ImageNote): string[] {
  return layers.map(({ identity }) => layout.record(indexedIdentity(identity, resolved)));
}

/** The files of the cache that are a layer's alone; contents of its files are not among them. */
export function filesOfLayer(layout: CacheLayout, identity: string): string[] {
  const blob = layout.blob(identity);
  const toc = tocOf(blob);
  return [blob, blocksOf(blob), toc, blocksOf(toc), ...recordOf(layout, identity)];
}

/** A record, and the index that it speaks of. */
function recordOf(layout: CacheLayout, identity: string): string[] {
  const record = readRecord(layout, identity);
  return [layout.record(identity), ...(record === undefined ? [] : [layout.index(record.key)])];
}

/** The files that say what an image is: enough to mount it, and to run it if its config was kept, without its registry, if its layers are there. */
export function filesOfImage(layout: CacheLayout, image: ImageNote): string[] {
  const { name, resolved, config, layers } = image;
  const note = layout.image(name);
  const records = layers.flatMap(({ identity }) => recordOf(layout, indexedIdentity(identity, resolved)));
  const digests = [digestIn(resolved), config ?? undefined].filter((one) => one !== undefined);
  return [note, `${note}${PIN}`, layout.manifest(name), ...digests.map((one) => layout.manifest(one)), ...records];
}

/** The files that stay for images: of those that are pinned all, and what is known of those of which `mounted` has a layer. */
export function filesToKeep(layout: CacheLayout, mounted: ReadonlySet<string>): Set<string> {
  const files = new Set(mounted);
  for (const image of cachedImages(layout)) {
    const isMounted = image.layers.some(({ identity }) => mounted.has(layout.record(identity)));
    if (image.pinned || isMounted) for (const path of filesOfImage(layout, image)) files.add(path);
    if (!image.pinned) continue;
    for (const { identity } of image.layers) for (const path of filesOfLayer(layout, identity)) files.add(path);
  }
  return files;
}
