// SPDX-License-Identifier: GPL-3.0-or-later

/** Writes an OCI archive: a tar of a layout, which is made beside it first. */

import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { CrfsError } from '../../errors/error.js';
import { writeWhole } from '../file.js';
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
    const written = pipeline(tar, file.createWriteStream({ autoClose: false }));
    for (const name of files) {
      const { size } = await stat(join(directory, name));
      const entry = tar.entry({ name, size, mode: 0o644, mtime: new Date(0) });
      await pipeline(createReadStream(join(directory, name)), entry);
    }
    tar.finalize();
    await written;
  });
}

async function blobs(directory: string): Promise<string[]> {
  return (await readdir(join(directory, 'blobs/sha256'))).sort().map((name) => `blobs/sha256/${name}`);
}
