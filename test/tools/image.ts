// SPDX-License-Identifier: GPL-3.0-or-later

/** Images of eStargz layers, made from tars, in a registry. */

import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { convertFile, type FileOptions } from '../../src/main/convert/file.js';
import { debian, deflater } from './layers.js';
import { readLayer } from './read-layer.js';
import { type Blob, blobOf, pushImage, type TestImage } from './registry-image.js';

const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const TOC_DIGEST = 'containerd.io/snapshot/stargz/toc.digest';

/** Converts tars, the base first, to the layers of an image, which is to be run as `config` says (`Env`, `Cmd`, …). */
export async function imageOf(
  tars: readonly string[],
  options: Partial<FileOptions> = {},
  config: object = {},
): Promise<TestImage> {
  const layers: Blob[] = [];
  const diffs: string[] = [];
  for (const tar of tars) {
    const { tocDigest, diffId } = await convertFile(tar, `${tar}.esgz`, { ...options, deflater });
    layers.push({ ...blobOf(LAYER, readFileSync(`${tar}.esgz`)), annotations: { [TOC_DIGEST]: tocDigest } });
    diffs.push(diffId);
  }
  return withConfig(layers, diffs, config);
}

/** The image of the Debian root file system. */
export async function debianImage(): Promise<TestImage> {
  const { layer } = await debian();
  const { blob, tocDigest } = readLayer(layer);
  const diffId = createHash('sha256');
  await pipeline(createReadStream(layer), createGunzip(), diffId);
  const annotations = { [TOC_DIGEST]: tocDigest };
  return withConfig([{ ...blobOf(LAYER, blob), annotations }], [`sha256:${diffId.digest('hex')}`], {});
}

function withConfig(layers: readonly Blob[], diffIds: readonly string[], run: object): TestImage {
  const rootfs = { type: 'layers', diff_ids: diffIds };
  const history = diffIds.map(() => ({ created_by: 'a test' })); // podman builds on no image without
  const config = { architecture: 'amd64', os: 'linux', config: run, rootfs, history };
  return { layers, config: blobOf(CONFIG, Buffer.from(JSON.stringify(config))) };
}

/** Converts tars to an image and pushes it to `HOST/NAME:TAG`. */
export async function pushTars(tars: readonly string[], target: string, config: object = {}): Promise<TestImage> {
  const image = await imageOf(tars, {}, config);
  await pushImage(image, target);
  return image;
}
