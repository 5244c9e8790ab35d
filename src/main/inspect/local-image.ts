// SPDX-License-Identifier: GPL-3.0-or-later

/** Images on disk, in an OCI layout or an archive, as they are looked into. */

import { readBlob } from '../blob/digest.js';
import { CrfsError } from '../errors/error.js';
import { openLocalSource } from '../images/open.js';
import { diffIdsOf } from '../registry/config.js';
import { CONFIG_LIMIT } from '../registry/image.js';
import { isIndex } from '../registry/manifest.js';
import { namedToc } from '../registry/named-toc.js';
import { choosePlatform, machinePlatform, parsePlatform } from '../registry/platform.js';
import { identityAt } from '../sources/file.js';
import type { FoundImage } from './found-image.js';
import type { Workspace } from './workspace.js';

/** The image that `oci:DIR[:TAG]`, `dir:DIR`, `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:NAME]` names. Rejects as reading them does. */
export async function findLocalImage(
  written: string,
  workspace: Workspace,
  platform: string | undefined,
): Promise<FoundImage> {
  const source = await openLocalSource(written, await workspace.client());
  if (source === undefined) throw new CrfsError('CRFS_USAGE', `${written}: behind the first colon comes a path`);
  workspace.closeLater(source);
  let found = await source.top();
  while (isIndex(found)) {
    const wanted = platform === undefined ? machinePlatform() : parsePlatform(platform);
    found = await source.manifest(choosePlatform(found, wanted, source.name).digest);
  }
  const { config, layers } = found;
  const readImageConfig = async (): Promise<Buffer> =>
    await readBlob(await source.openBlob(config), config, CONFIG_LIMIT);
  return {
    name: written,
    resolved: written,
    ...(source.pathOf === undefined ? { isArchive: true } : {}),
    digest: found.digest,
    layers: layers.map((layer) => ({
      name: `layer ${layer.digest}`,
      identity: source.pathOf === undefined ? layer.digest : identityAt(source.pathOf(layer)),
      digest: layer.digest,
      size: layer.size,
      ...namedToc(layer, source.name),
      open: async () => await source.openBlob(layer),
      openToc: async () => undefined,
    })),
    config: readImageConfig,
    diffIds: async () => diffIdsOf(await readImageConfig(), written, layers.length),
  };
}
