// SPDX-License-Identifier: GPL-3.0-or-later

/** A small OCI image, made by hand, and skopeo to bring it into a registry. */

import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { PASSWORD, USER } from './registry.js';

export interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly bytes: Buffer;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface TestImage {
  readonly layers: readonly Blob[];
  readonly config: Blob;
}

export function blobOf(mediaType: string, bytes: Buffer): Blob {
  return { mediaType, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, size: bytes.length, bytes };
}

/** An image of `count` layers, each with a file of `size` random bytes. */
export async function makeImage(count: number, size: number): Promise<TestImage> {
  const layers: Blob[] = [];
  const diffs: string[] = [];
  for (let number = 0; number < count; number++) {
    const tar = pack();
    tar.entry({ name: `file-${number}` }, randomBytes(size));
    tar.finalize();
    const plain = await buffer(tar);
    diffs.push(blobOf('', plain).digest);
    layers.push(blobOf('application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(plain)));
  }
  const text = JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: diffs } });
  return { layers, config: blobOf('application/vnd.oci.image.config.v1+json', Buffer.from(text)) };
}

function described({ mediaType, digest, size, annotations }: Blob): Record<string, unknown> {
  return { mediaType, digest, size, annotations };
}

/** Copies the image to `HOST/NAME:TAG` with skopeo, as Docker schema 2 if asked. */
export async function pushImage(
  image: TestImage,
  target: string,
  options: { docker?: boolean; login?: boolean; certs?: string } = {},
): Promise<void> {
  const manifest = blobOf(
    'application/vnd.oci.image.manifest.v1+json',
    Buffer.from(
      JSON.stringify({ schemaVersion: 2, config: described(image.config), layers: image.layers.map(described) }),
    ),
  );
  const directory = await mkdtemp(join(tmpdir(), 'crfs-image-'));
  try {
    await mkdir(join(directory, 'blobs/sha256'), { recursive: true });
    for (const { digest, bytes } of [...image.layers, image.config, manifest]) {
      await writeFile(join(directory, 'blobs', digest.replace(':', '/')), bytes);
    }
    await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    await writeFile(
      join(directory, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: [described(manifest)] }),
    );
    const security = options.certs === undefined ? ['--dest-tls-verify=false'] : [`--dest-cert-dir=${options.certs}`];
    const login = options.login ? [`--dest-creds=${USER}:${PASSWORD}`] : [];
    const format = options.docker ? ['--format=v2s2'] : [];
    const asIs = image.layers.some(({ mediaType }) => mediaType.endsWith('.tar')) ? ['--preserve-digests'] : []; // else it compresses them
    const args = [
      '--insecure-policy',
      'copy',
      '-q',
      ...security,
      ...login,
      ...format,
      ...asIs,
      `oci:${directory}`,
      `docker://${target}`,
    ];
    await promisify(execFile)('skopeo', args);
  } finally {
    await rm(directory, { recursive: true });
  }
}
