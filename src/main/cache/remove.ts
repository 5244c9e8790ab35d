// SPDX-License-Identifier: GPL-3.0-or-later

import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type CacheLayout, objectPath } from '../disk/cache-layout.js';
import { CrfsError } from '../errors/error.js';
import { IndexReader } from '../index/reader.js';
import { cachedImages, filesOfImage, filesOfLayer, type ImageNote, indexedRecords } from './images.js';
import { parseRecord } from './records.js';
import { filesOf, isUseOf, type References } from './references.js';

export interface Removed {
  /** Layers that have gone, and those that others need. */
  readonly layers: number;
  readonly kept: number;
  /** Bytes on the disk. */
  readonly freed: number;
}

/** What may need an image that is to be removed. */
export interface Users {
  /** The files that mounts need. */
  readonly mounted: ReadonlySet<string>;
  readonly references: References;
  /** The references by the image's name do not count, and are forgotten. */
  readonly isForced: boolean;
}

/**
 * Removes an image from the cache, and of its layers, with the contents of their files, what no other image needs. Whether
 * podman needs it, what is noted says alone: any storage of podman's may have used the store. Throws CRFS_BUSY if podman or a
 * mount needs a layer that is of no other image, or all layers: then this may be the image that is used, by whichever of its
 * names.
 */
export async function removeImage(
  layout: CacheLayout,
  image: ImageNote,
  { mounted, references: noted, isForced }: Users,
): Promise<Removed> {
  const others = cachedImages(layout).filter(({ name }) => name !== image.name);
  const shared = new Set(others.flatMap(({ layers }) => layers.map(({ identity }) => identity)));
  const going = [...new Set(image.layers.map(({ identity }) => identity))].filter((identity) => !shared.has(identity));
  const references = noted.list().filter((one) => !isForced || !isUseOf(one, image));
  const stored = new Set(references.map(({ identity }) => identity));
  const isUsed = (uses: (identity: string) => boolean): boolean =>
    going.some(uses) || (image.layers.length > 0 && image.layers.every(({ identity }) => uses(identity)));
  if (isUsed((identity) => stored.has(identity))) {
    const otherwise = 'where nobody has it any more, add --force';
    const what = `podman uses ${image.name}, out of a store: remove it with \`podman rmi\` first; ${otherwise}`;
    throw new CrfsError('CRFS_BUSY', what);
  }
  if (isUsed((identity) => mounted.has(layout.record(identity)))) {
    const what = going.length > 0 ? `${image.name} is mounted` : `all layers of ${image.name} are mounted`;
    throw new CrfsError('CRFS_BUSY', `${what}: run \`crfs umount\` first`);
  }
  const before = indexesOf(layout);
  const files = [...filesOfImage(layout, image), ...going.flatMap((identity) => filesOfLayer(layout, identity))];
  const records = new Set([...going.map((identity) => layout.record(identity)), ...indexedRecords(layout, image)]);
  const indexes = [...before].filter(([record]) => !records.has(record)).map(([, index]) => index);
  const ofOthers = [
    ...others.flatMap((other) => filesOfImage(layout, other)),
    ...references.flatMap((one) => filesOf(layout, one)),
  ];
  const needed = new Set([...indexes, ...ofOthers]);
  const contents = contentsOf([...before].filter(([record]) => records.has(record)).map(([, index]) => index));
  for (const name of contentsOf(indexes)) contents.delete(name);
  let freed = 0;
  for (const path of files.filter((one) => !needed.has(one))) {
    freed += bytesOf(path);
    rmSync(path, { force: true }); // at once: nobody can come in between and open what is half gone
  }
  for (const name of contents) {
    const path = objectPath(layout.objects, name);
    freed += bytesOf(path);
    await rm(path, { force: true });
  }
  if (isForced) await noted.forget(image);
  return { layers: going.length, kept: image.layers.length - going.length, freed };
}

/** The index of each layer, by the record of it. */
function indexesOf(layout: CacheLayout): Map<string, string> {
  const directory = layout.directory('records');
  const paths = readdirSync(directory).map((name) => join(directory, name));
  return new Map(
    paths.flatMap((path) => {
      const record = parseRecord(readFileSync(path, 'utf8'));
      return record === undefined ? [] : [[path, layout.index(record.key)] as const];
    }),
  );
}

/** The names of all objects that these indexes speak of; an index that is not there speaks of none. */
function contentsOf(indexes: readonly string[]): Set<string> {
  const names = new Set<string>();
  for (const path of indexes.filter((one) => statSync(one, { throwIfNoEntry: false }))) {
    const index = new IndexReader(readFileSync(path));
    for (let inode = 0; inode < index.inodes; inode++) {
      if (index.isFile(inode) && index.chunkCount(inode) > 0) names.add(index.objectName(inode));
    }
  }
  return names;
}

function bytesOf(path: string): number {
  return (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
}
