// SPDX-License-Identifier: GPL-3.0-or-later

/** The mutation fuzzer for what TypeScript reads: each target is handed damaged bytes, and may only refuse them. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { BlobSource } from '../../src/main/blob/source.js';
import { parseIntroduction } from '../../src/main/daemon/introduction.js';
import { decodeQuestion, encodeAnswer } from '../../src/main/daemon/message.js';
import { CrfsError } from '../../src/main/errors/error.js';
import { type Codec, GZIP, ZSTD } from '../../src/main/formats/codec.js';
import { readFooter } from '../../src/main/formats/estargz/footer.js';
import { readFooter as readZstdFooter } from '../../src/main/formats/zstd-chunked/place.js';
import { OCI_MANIFEST, parseManifest } from '../../src/main/registry/manifest.js';
import { addon } from '../../src/native/addon.js';
import { decoderOf } from '../../src/workers/decode/decoders.js';
import { engineNames } from '../../src/workers/engine-names.js';
import { zstd } from '../tools/compressed-stream.js';
import { buildBoth } from '../tools/native-index.js';
import { blobOf, directory, estargzFooter, file, tarOf, tocJson } from '../tools/toc.js';
import { filesInZstd, zstdChunked } from '../tools/zstd-chunked.js';
import { mutate, randomFrom } from './mutate.js';

interface Target {
  readonly seed: Buffer;
  /** Throws what is not a CrfsError if something is wrong. */
  readonly feed: (bytes: Buffer) => Promise<void> | void;
}

const place = mkdtempSync(join(tmpdir(), 'crfs-fuzz-'));
process.once('exit', () => rmSync(place, { recursive: true, force: true }));

const entries = [
  directory('a', { modtime: '2020-01-01T00:00:00Z', mode: 0o755, xattrs: { 'user.x': 'AAE=' } }),
  file('a/b', 100, 'content', { uid: 1, gid: 2, chunkDigest: `sha256:${'0'.repeat(64)}` }),
  { name: 'a/large', type: 'reg', size: 30, offset: 200, chunkSize: 20 },
  { name: 'a/large', type: 'chunk', offset: 300, chunkOffset: 20, chunkSize: 10 },
  { name: 'a/link', type: 'hardlink', linkName: 'a/b' },
  { name: 's', type: 'symlink', linkName: '../../x' },
  { name: 'dev', type: 'char', devMajor: 1, devMinor: 3 },
];

const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: OCI_MANIFEST,
  config: { mediaType: 'application/vnd.oci.image.config.v1+json', size: 2, digest: `sha256:${'a'.repeat(64)}` },
  layers: [
    {
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      size: 1234,
      digest: `sha256:${'b'.repeat(64)}`,
      annotations: { 'containerd.io/snapshot/stargz/toc.digest': `sha256:${'c'.repeat(64)}` },
    },
  ],
});

const content = Buffer.from('the quick brown fox jumps over the lazy dog\n'.repeat(50));

async function index(source: BlobSource): Promise<void> {
  const path = join(place, 'index');
  rmSync(path, { force: true });
  // buildIndex holds what it wrote against the check of the plugin, and fails with CRFS_INTERNAL if that refuses it
  await buildBoth(source, path, 'fuzz');
}

/** A blob of these bytes and no others. */
function blob(bytes: Buffer): BlobSource {
  const read = async (offset: number, length: number): Promise<Buffer> => {
    if (offset < 0 || offset + length > bytes.length) throw new RangeError(`read of ${length} bytes at ${offset}`);
    return bytes.subarray(offset, offset + length);
  };
  return { name: 'layer', size: bytes.length, read, close: async () => {} };
}

/** The question that a mount begins with. */
function hello(): Buffer {
  const { message, constants } = addon.layout;
  const bytes = encodeAnswer({ kind: 'error', errno: 0, text: '/m\0/\0HOME=/h\0no_proxy=*\0' });
  bytes.writeUInt32LE(constants.hello, message.type);
  bytes.writeUInt32LE(constants.controlVersion, message.helloVersion);
  return bytes;
}

function inflate(name: (typeof engineNames)[number], bytes: Buffer, { number }: Codec = GZIP): number | string {
  const output = Buffer.alloc(content.length);
  try {
    return decoderOf(number, name).decode(bytes, output);
  } catch (error) {
    if (error instanceof CrfsError) return error.code;
    throw error;
  }
}

export const targets: Readonly<Record<string, Target>> = {
  footer: {
    seed: Buffer.concat([Buffer.alloc(100), estargzFooter(100)]),
    feed: async (bytes) => void (await readFooter(blob(bytes))),
  },
  'zstd footer': {
    seed: zstdChunked(Buffer.alloc(100), '{}').blob,
    feed: async (bytes) => void (await readZstdFooter(blob(bytes))),
  },
  'zstd toc': {
    seed: filesInZstd({ a: [content], b: [content.subarray(1), { zeros: 10 }, content.subarray(2)] }).blob,
    feed: async (bytes) => await index(blob(bytes)),
  },
  frame: {
    seed: zstd(content),
    feed: (bytes) => {
      const result = inflate('libdeflate', bytes, ZSTD);
      if (typeof result === 'number' && result > content.length) throw new Error(`libzstd wrote ${result} bytes`);
    },
  },
  toc: {
    seed: Buffer.concat([gzipSync(await tarOf([['stargz.index.json', tocJson([])]])), estargzFooter(0)]),
    feed: async (bytes) => await index(blob(bytes)),
  },
  entries: {
    seed: Buffer.from(tocJson(entries)),
    feed: async (bytes) => await index(await blobOf(bytes)),
  },
  manifest: {
    seed: Buffer.from(manifest),
    feed: (bytes) => void parseManifest(bytes, OCI_MANIFEST, 'image'),
  },
  message: {
    seed: hello(),
    feed: (bytes) => {
      const question = decodeQuestion(bytes);
      if ('text' in question) parseIntroduction(question.text);
    },
  },
  member: {
    seed: gzipSync(content),
    feed: (bytes) => {
      for (const name of engineNames) {
        const result = inflate(name, bytes);
        if (typeof result === 'number' && result > content.length) throw new Error(`${name} wrote ${result} bytes`);
      }
    },
  },
};

/** Feeds a target for so long. Resolves to how often, and how often it took what it was given; rejects with a crash. */
export async function fuzz(name: string, seconds: number, seed = 1): Promise<{ runs: number; taken: number }> {
  const target = targets[name];
  if (target === undefined) throw new Error(`there is no target ${name}`);
  const random = randomFrom(seed);
  let taken = 0;
  let runs = 0;
  for (const end = Date.now() + seconds * 1000; Date.now() < end; runs++) {
    if (runs % 1000 === 0) await turn(); // so that Node lets go of what errors have left behind
    const bytes = mutate(target.seed, random);
    try {
      await target.feed(bytes);
      taken++;
    } catch (error) {
      if (error instanceof CrfsError && error.code !== 'CRFS_INTERNAL') continue;
      throw new Error(`${name}, run ${runs} of seed ${seed}: ${bytes.toString('base64')}`, { cause: error });
    }
  }
  return { runs, taken };
}
