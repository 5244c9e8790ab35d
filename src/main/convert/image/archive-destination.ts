// SPDX-License-Identifier: GPL-3.0-or-later

/** Writes an OCI archive: a tar of a layout, which is made beside it first. */

import { createReadStream } from 'node:fs';
import { type FileHandle, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Pack, pack } from 'tar-stream';
import { CrfsError } from '../../errors/error.js';
import { writeWhole } from '../file.js';
import { writeFully } from '../spool.js';
import type { ImageDestination } from './ends.js';
import { layoutDestination } from './layout-destination.js';

/** Rejects with CRFS_USAGE where nothing can be written. */
export async function ociArchiveDestination(path: string, tag: string | undefined): Promise<ImageDestination> {
  const directory = await mkdtemp(`${path}.`).catch((error: NodeJS.ErrnoException) => {
    throw new CrfsError('CRFS_USAGE', `cannot write ${path}: ${error.message}`, { cause: error });
  });
  const layout = await layoutDestination(join(directory, 'layout'), tag);
  return {
    name: tag === undefined ? path : `${path}:${tag}`,
    ociOnly: true,
    hasBlob: (digest, from) => layout.hasBlob(digest, from),
    beginBlob: () => layout.beginBlob(),
    putManifest: (mediaType, bytes) => layout.putManifest(mediaType, bytes),
    async publish(mediaType, bytes) {
      await layout.publish(mediaType, bytes);
      await packDirectory(join(directory, 'layout'), path);
    },
    close: () => rm(directory, { recursive: true, force: true }),
  };
}

async function packDirectory(directory: string, path: string): Promise<void> {
  const files = ['oci-layout', 'index.json', ...(await blobs(directory))];
  await writeWhole(path, async (file) => {
    const tar = pack();
    const written = writeAll(tar as AsyncIterable<Uint8Array>, file);
    written.catch((error: Error) => tar.destroy(error));
    for (const name of files) await addFile(tar, directory, name);
    tar.finalize();
    await written;
  });
}

async function writeAll(pieces: AsyncIterable<Uint8Array>, file: FileHandle): Promise<void> {
  let at = 0;
  for await (const piece of pieces) {
    await writeFully(file, piece, at);
    at += piece.length;
  }
}

async function addFile(tar: Pack, directory: string, name: string): Promise<void> {
  const path = join(directory, name);
  const { size } = await stat(path);
  await new Promise<void>((resolve, reject) => {
    const added = (error?: Error | null): void => (error ? reject(error) : resolve());
    const entry = tar.entry({ name, size, mode: 0o644, mtime: new Date(0) }, added);
    createReadStream(path).on('error', reject).pipe(entry);
  });
}

async function blobs(directory: string): Promise<string[]> {
  return (await readdir(join(directory, 'blobs/sha256'))).sort().map((name) => `blobs/sha256/${name}`);
}
