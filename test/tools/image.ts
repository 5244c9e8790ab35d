// SPDX-License-Identifier: GPL-3.0-or-later

/** Images of eStargz layers, made from tars, in a registry. */

import { readFileSync } from 'node:fs';
import { Deflater } from '../../src/main/convert/deflater.js';
import { convertFile } from '../../src/main/convert/file.js';
import { type Blob, blobOf, pushImage, type TestImage } from './registry-image.js';

const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const TOC_DIGEST = 'containerd.io/snapshot/stargz/toc.digest';

/** Converts tars, the base first, to the layers of an image. */
export async function imageOf(tars: readonly string[]): Promise<TestImage> {
  const deflater = new Deflater();
  const layers: Blob[] = [];
  const diffs: string[] = [];
  for (const tar of tars) {
    const { tocDigest, diffId } = await convertFile(tar, `${tar}.esgz`, { deflater });
    layers.push({ ...blobOf(LAYER, readFileSync(`${tar}.esgz`)), annotations: { [TOC_DIGEST]: tocDigest } });
    diffs.push(diffId);
  }
  await deflater.close();
  const config = { architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: diffs } };
  return { layers, config: blobOf(CONFIG, Buffer.from(JSON.stringify(config))) };
}

/** Converts tars to an image and pushes it to `HOST/NAME:TAG`. */
export async function pushTars(tars: readonly string[], target: string): Promise<TestImage> {
  const image = await imageOf(tars);
  await pushImage(image, target);
  return image;
}
