// SPDX-License-Identifier: GPL-3.0-or-later

import type { ExecutionContext } from 'ava';
import { convertImage, type ImageOptions, type ImageResult } from '../../src/main/convert/image/convert-image.js';
import { openDestination, openSource } from '../../src/main/images/open.js';
import { silent } from '../../src/main/output/progress.js';
import { RegistryClient } from '../../src/main/registry/client.js';
import { checkChunks, readLayer } from '../tools/read-layer.js';
import { history, type Layout, type Manifest } from './layout.js';
import { deflater } from './setting.js';

/** Converts from one place to another, as the command does. Where no registry takes part, no client is needed. */
export async function convertImageBetween(
  from: string,
  to: string,
  options: Partial<ImageOptions> = {},
  client = new RegistryClient({ spool: '/nonexistent' }),
): Promise<ImageResult> {
  const { signal } = new AbortController();
  const source = await openSource(from, client, signal);
  try {
    const destination = await openDestination(to, client, signal);
    try {
      return await convertImage(source, destination, {
        deflater,
        progress: silent,
        warn: () => undefined,
        signal,
        ...options,
      });
    } finally {
      await destination.close();
    }
  } finally {
    await source.close();
  }
}

/** What must hold of every converted image. */
export function checkImage(t: ExecutionContext, layout: Layout, manifest: Manifest): void {
  const { rootfs, ...config } = layout.config(manifest);
  t.deepEqual(config.history, history);
  t.like(config.config, { Env: ['A=1'], Labels: { kept: 'yes' } });
  t.deepEqual(
    rootfs.diff_ids,
    manifest.layers.map((layer) => layout.diffId(layer)),
  );
  for (const { digest, size, annotations } of manifest.layers) {
    const layer = readLayer(layout.path(digest));
    t.is(layer.blob.length, size);
    t.is(annotations?.['containerd.io/snapshot/stargz/toc.digest'], layer.tocDigest);
    t.deepEqual(checkChunks(layer), []);
  }
}
