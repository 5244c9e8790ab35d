// SPDX-License-Identifier: GPL-3.0-or-later

import { ByteReader } from '../blob/byte-reader.js';
import type { BlobSource } from '../blob/source.js';
import { decoded } from '../formats/decode.js';
import { LayerFault } from '../formats/fault.js';
import { BLOCK_SIZE, isHeader } from '../tar/header.js';

/** How compressed forms begin, in hexadecimal digits. */
const MAGICS: readonly (readonly [magic: RegExp, form: string])[] = [
  [/^1f8b/, 'gzip'],
  [/^28b52ffd/, 'zstd'],
  [/^5[0-9a-f]2a4d18/, 'zstd'], // a skippable frame
  [/^fd377a585a00/, 'xz'],
  [/^425a683[1-9](314159265359|177245385090)/, 'bzip2'],
  [/^04224d18/, 'lz4'],
  [/^4c5a495001/, 'lzip'],
  [/^5d0000/, 'lzma'],
  [/^1f9d/, 'compress'],
];

/** Whether a blob is compressed, in a form that we can read or not. */
export async function isCompressed(blob: BlobSource): Promise<boolean> {
  const head = await blob.read(0, Math.min(BLOCK_SIZE, blob.size));
  return formOf(head) !== undefined;
}

/** The compressed form that begins so. A tar may begin with a name that looks like one. */
function formOf(head: Uint8Array): string | undefined {
  if (head.length === BLOCK_SIZE && isHeader(head)) return undefined;
  const digits = Buffer.from(head).toString('hex');
  return MAGICS.find(([magic]) => magic.test(digits))?.[1];
}

/** A tar out of a stream of it, plain or compressed with gzip or zstd. Throws LayerFault for other compressions, and bad data. */
export async function* decompress(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const bytes = new ByteReader(input);
  try {
    const head = await bytes.exactly(BLOCK_SIZE);
    const form = formOf(head);
    const whole = concatenated(head, bytes);
    if (form === undefined) yield* whole;
    else if (form === 'gzip' || form === 'zstd') yield* decoded(whole, form, { anyWindow: true });
    else throw new LayerFault(`compressed with ${form}, which is not supported: decompress it first`);
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
