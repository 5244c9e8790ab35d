// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import type { OpenLayer, OpenLayers } from '../../src/main/daemon/open-layers.js';
import type { ResolvedLayer } from '../../src/main/daemon/resolved.js';
import { Sources } from '../../src/main/daemon/session-sources.js';

test('a mount lists its layers in their places, also those that stand in an image twice, and holds each once', async (t) => {
  const held: unknown[] = [];
  const use = async (layer: ResolvedLayer): Promise<OpenLayer> => {
    held.push(layer);
    return layer as unknown as OpenLayer;
  };
  const release = async (layer: unknown): Promise<void> => void held.splice(held.indexOf(layer), 1);
  const sources = new Sources({ use, release } as unknown as OpenLayers);
  const [base, top] = [{ name: 'base' }, { name: 'top' }] as unknown as ResolvedLayer[];
  if (base === undefined || top === undefined) return;
  await sources.add({ resolved: 'image', layers: [base, top, base] } as never, undefined).opened;
  t.deepEqual(sources.layers, [base, top, base] as unknown as OpenLayer[]);
  t.is(held.length, 2);
});
