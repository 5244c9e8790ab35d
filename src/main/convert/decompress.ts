// SPDX-License-Identifier: GPL-3.0-or-later

import { spawn } from 'node:child_process';
import { pipeline, Readable, type Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import type { BlobSource } from '../blob/source.js';
import { CrfsError } from '../errors/error.js';
import { asFault, LayerFault } from '../formats/fault.js';
import { ByteReader } from '../tar/bytes.js';

const outputSize = 256 * 1024;
const magicLength = 6;

const magics: readonly (readonly [magic: string, form: string])[] = [
  ['1f8b', 'gzip'],
  ['28b52ffd', 'zstd'],
  ['fd377a585a00', 'xz'],
  ['425a68', 'bzip2'],
];

/** Whether a blob begins as something compressed does. */
export async function isCompressed(blob: BlobSource): Promise<boolean> {
  const head = await blob.read(0, Math.min(magicLength, blob.size));
  return formOf(head) !== undefined;
}

function formOf(head: Uint8Array): string | undefined {
  const digits = Buffer.from(head).toString('hex');
  return magics.find(([magic]) => digits.startsWith(magic))?.[1];
}

/** A tar from a stream of it, as it is or compressed with gzip or zstd. Throws LayerFault, also for other compressions. */
export async function* decompress(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const bytes = new ByteReader(input);
  const head = await bytes.exactly(magicLength);
  const form = formOf(head);
  const whole = concatenated(head, bytes);
  try {
    if (form === undefined) yield* whole;
    else if (form === 'gzip') yield* inflated(whole, zlib.createGunzip({ chunkSize: outputSize }), form);
    else if (form === 'zstd') yield* unzstd(whole);
    else throw new LayerFault(`compressed with ${form}, which layers never are: decompress it first`);
    while (await bytes.some(Number.MAX_SAFE_INTEGER)); // whoever hashes the input has to see its end
  } finally {
    await bytes.close();
  }
}

async function* concatenated(head: Uint8Array, rest: ByteReader): AsyncGenerator<Uint8Array> {
  yield head;
  for (let piece = await rest.some(Number.MAX_SAFE_INTEGER); piece; piece = await rest.some(Number.MAX_SAFE_INTEGER)) {
    yield piece;
  }
}

async function* inflated(
  input: AsyncIterable<Uint8Array>,
  through: Transform,
  form: string,
): AsyncGenerator<Uint8Array> {
  const kept = keeping(input);
  pipeline(Readable.from(kept.pieces()), through, () => {
    // The loop below meets the same error.
  });
  try {
    yield* through as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw kept.error ?? asFault(error, `the ${form} stream is corrupt or truncated`);
  }
}

/** An input, and the error that ended it, which streams behind it may hide. */
function keeping(input: AsyncIterable<Uint8Array>): { pieces(): AsyncGenerator<Uint8Array>; error: unknown } {
  const kept = {
    error: undefined as unknown,
    async *pieces(): AsyncGenerator<Uint8Array> {
      try {
        yield* input;
      } catch (error) {
        kept.error = error;
        throw error;
      }
    },
  };
  return kept;
}

/** Node.js has zstd from 22.15 on; before, the program of that name does the work. */
async function* unzstd(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const native = (zlib as { createZstdDecompress?: () => Transform }).createZstdDecompress;
  if (native) yield* inflated(input, native(), 'zstd');
  else yield* throughProgram(input);
}

async function* throughProgram(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const child = spawn('zstd', ['--decompress', '--stdout', '--quiet'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const kept = keeping(input);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  ended.catch(() => {
    // Met where it is awaited, below.
  });
  pipeline(Readable.from(kept.pieces()), child.stdin, () => {
    // Its exit code tells, below.
  });
  try {
    yield* child.stdout as AsyncIterable<Uint8Array>;
    if ((await ended) !== 0) throw kept.error ?? new LayerFault('the zstd stream is corrupt or truncated');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new CrfsError(
      'CRFS_NOT_FOUND',
      'reading zstd takes Node.js 22.15 or the program zstd, and there is neither',
      {
        cause: error,
      },
    );
  } finally {
    child.kill();
  }
}
