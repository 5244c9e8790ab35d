// SPDX-License-Identifier: GPL-3.0-or-later

/** Writes archives: a tar of an OCI layout, which is made beside it first, and for docker a manifest.json in it. */

import { createReadStream, existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Pack, pack } from 'tar-stream';
import { fileSink } from '../blob/file-sink.js';
import type { BlobSink } from '../blob/sink.js';
import { writeWhole } from '../blob/write-whole.js';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';
import { isIndex, parseManifest } from '../registry/manifest.js';
import type { ImageManifest } from '../registry/types.js';
import { archivedName, MANIFEST_FILE, manifestFor } from './docker-archive.js';
import { layoutDestination } from './layout-destination.js';
import { FULL_NAME } from './layout-source.js';
import type { ImageDestination } from './types.js';

/** `oci-archive:PATH[:TAG]`. Rejects with CRFS_DENIED where nothing can be written. */
export async function ociArchiveDestination(path: string, tag: string | undefined): Promise<ImageDestination> {
  return await archiveDestination(path, async (root) => await layoutDestination(root, tag, {}, path));
}

/**
 * `docker-archive:PATH[:NAME]`, in the form that `docker save` has since version 25: whoever reads OCI archives finds the digests
 * of TOCs in it too. Rejects with CRFS_DENIED where nothing can be written.
 */
export async function dockerArchiveDestination(path: string, given: string | undefined): Promise<ImageDestination> {
  const { name, tag } = given === undefined ? {} : archivedName(given);
  const layout = async (root: string): Promise<ImageDestination> =>
    await layoutDestination(root, tag, name === undefined ? {} : { [FULL_NAME]: name }, path);
  return await archiveDestination(path, layout, (manifest) => manifestFor(manifest, name));
}

async function archiveDestination(
  path: string,
  layoutAt: (root: string) => Promise<ImageDestination>,
  dockerManifest?: (manifest: ImageManifest) => string,
): Promise<ImageDestination> {
  const directory = await mkdtemp(`${path}.`).catch((error: NodeJS.ErrnoException) => {
    throw new CrfsError('CRFS_DENIED', `cannot write ${path}: ${reasonOf(error)}`, { cause: error });
  });
  const close = async (): Promise<void> => await rm(directory, { recursive: true, force: true });
  const root = join(directory, 'layout');
  const layout = await layoutAt(root).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return {
    name: path,
    ociOnly: true,
    oneImage: dockerManifest !== undefined,
    hasBlob: (digest, from) => layout.hasBlob(digest, from),
    beginBlob: () => layout.beginBlob(),
    putManifest: (mediaType, bytes) => layout.putManifest(mediaType, bytes),
    async publish(mediaType, bytes) {
      await layout.publish(mediaType, bytes);
      const manifest = parseManifest(bytes, mediaType, path);
      if (dockerManifest && !isIndex(manifest)) await writeFile(join(root, MANIFEST_FILE), dockerManifest(manifest));
      await packDirectory(root, path);
    },
    close,
  };
}

/** Writes a layout's files into a tar, the small ones first. */
async function packDirectory(directory: string, path: string): Promise<void> {
  const top = ['index.json', MANIFEST_FILE, 'oci-layout'].filter((name) => existsSync(join(directory, name)));
  const files = [...top, ...(await blobs(directory))];
  await writeWhole(path, async (file) => {
    const tar = pack();
    const written = writeAll(tar as AsyncIterable<Uint8Array>, fileSink(file));
    written.catch((error: Error) => tar.destroy(error));
    for (const name of files) await addFile(tar, directory, name);
    tar.finalize();
    await written;
  });
}

async function writeAll(pieces: AsyncIterable<Uint8Array>, sink: BlobSink): Promise<void> {
  for await (const piece of pieces) await sink.write(piece);
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
