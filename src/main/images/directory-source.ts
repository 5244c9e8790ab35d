// SPDX-License-Identifier: GPL-3.0-or-later

/** Images in a plain directory, as skopeo writes them: containers-transports(5), `dir:`. */

import { hexOf } from '../blob/digest.js';
import { CrfsError } from '../errors/error.js';
import { MANIFEST_LIMIT, parseManifest } from '../registry/manifest.js';
import type { ImageIndex, ImageManifest } from '../registry/types.js';
import type { DirectoryFiles } from './files.js';
import type { ImageSource } from './types.js';

/** The image in a directory: a blob is a file, named by the hex digits of its digest. */
export function directorySource(files: DirectoryFiles): ImageSource {
  const read = async (path: string): Promise<ImageManifest | ImageIndex> => {
    const source = await files.open(path);
    try {
      const bytes = await source.read(0, Math.min(source.size, MANIFEST_LIMIT));
      return parseManifest(bytes, undefined, source.name);
    } finally {
      await source.close();
    }
  };
  return {
    name: files.name,
    top: () => read('manifest.json'),
    async manifest(digest) {
      const found = await read(`${hexOf(digest)}.manifest.json`);
      if (found.digest === digest) return found;
      throw new CrfsError('CRFS_DIGEST', `${files.name}: the manifest ${digest} has other content: ${found.digest}`);
    },
    openBlob: ({ digest }) => files.open(hexOf(digest)),
    pathOf: ({ digest }) => files.pathOf(hexOf(digest)),
    close: () => files.close(),
  };
}
