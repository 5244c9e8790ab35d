// SPDX-License-Identifier: GPL-3.0-or-later

import type { ImageNote } from '../cache/images.js';
import { readReferences } from '../cache/references.js';
import type { CacheLayout } from '../disk/cache-layout.js';
import { linkedLayers } from '../setup/needed.js';
import { askPodman } from '../setup/podman.js';

/**
 * Whether podman has none of an image's layers any more that are noted as used by it: it has removed them while no store was
 * mounted, that could have been told. Where podman cannot be asked, or keeps layers in another way, it may have them.
 */
export async function isLeftByPodman(layout: CacheLayout, { layers }: ImageNote): Promise<boolean> {
  const identities = new Set(layers.map(({ identity }) => identity));
  const noted = readReferences(layout).filter(({ identity }) => identities.has(identity));
  if (noted.length === 0) return false;
  const podman = await askPodman().catch(() => undefined);
  if (podman?.driver !== 'overlay') return false;
  const linked = linkedLayers(podman.graphRoot);
  return !noted.some(({ asked }) => linked.some((path) => path.endsWith(placeOf(asked))));
}

/** Where any store has what is asked for, `docker://NAME#DIGEST`. */
function placeOf(asked: string): string {
  const [, name = '', digest = ''] = /^docker:\/\/(.*)#(.*)$/.exec(asked) ?? [];
  return `/${name === '' ? '' : `${Buffer.from(name).toString('base64')}/`}${digest}/diff`;
}
