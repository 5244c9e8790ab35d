// SPDX-License-Identifier: GPL-3.0-or-later

import type { Variables } from '../environment/environment.js';
import { note } from '../output/tell.js';
import { tellingIfSlow } from '../output/waiting.js';
import { emptyLayer } from '../sources/empty-layer.js';
import { findImageOrLast, openLayers } from './image.js';
import { View } from './view.js';
import { Workspace } from './workspace.js';

export interface ViewOptions {
  /** Like linux/arm64. */
  readonly platform?: string;
  /** Number or digest of the one layer to look at, as it is. */
  readonly layer?: string;
}

/** Opens what a person names, in the `environment`, hands its tree to `work`, and leaves nothing behind. */
export async function withView<T>(
  written: string,
  { platform, layer }: ViewOptions,
  environment: Variables,
  work: (view: View, workspace: Workspace) => Promise<T>,
): Promise<T> {
  const workspace = new Workspace(environment);
  try {
    const image = await tellingIfSlow(`looking for ${written}`, findImageOrLast(written, workspace, platform));
    const { layers: found } = image;
    const shown = found.length === 0 && layer === undefined ? { ...image, layers: [emptyLayer()] } : image;
    const name = layer === undefined ? written : `layer ${layer} of ${written}`;
    const opening = openLayers(shown, workspace, layer, written, platform);
    const layers = await tellingIfSlow(`opening the layers of ${name}`, opening);
    if (image.stale !== undefined) note(image.stale);
    return await work(new View(layers, name, layer !== undefined), workspace);
  } finally {
    await workspace.close();
  }
}
