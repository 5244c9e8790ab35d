// SPDX-License-Identifier: GPL-3.0-or-later

/** How the chunks of a layer are compressed: which decoder in src/workers reads them. Numbers are those of the index. */

import { addon } from '../../native/addon.js';
import type { Form } from './decode.js';

export interface Codec {
  readonly number: number;
  readonly form: Form;
  /** What a part that can be decoded by itself is called, for messages. */
  readonly part: string;
  /** Bytes that one byte of the blob yields at most. */
  readonly expansion: number;
}

/** A gzip member holds one chunk, or several; deflate's match of 258 bytes takes two bits at least (RFC 1951). */
export const GZIP: Codec = {
  number: addon.layout.constants.codecGzip,
  form: 'gzip',
  part: 'gzip member',
  expansion: 1032,
};
/** A zstd frame holds a chunk, or a part of one; four bytes at least are a block, of 128 KiB at most (RFC 8878). */
export const ZSTD: Codec = {
  number: addon.layout.constants.codecZstd,
  form: 'zstd',
  part: 'zstd frame',
  expansion: 32_768,
};
/** gzip of any members: a chunk is decoded from the last restart point before it. */
export const GZIP_POINTS: Codec = {
  number: addon.layout.constants.codecGzipPoints,
  form: 'gzip',
  part: 'stretch of gzip',
  expansion: GZIP.expansion,
};
/** A tar as it is. */
export const NONE: Codec = { number: addon.layout.constants.codecNone, form: 'none', part: 'tar', expansion: 1 };

/** Of layers that have no TOC. */
export const PLAIN_CODECS: Readonly<Record<Form, Codec>> = { gzip: GZIP_POINTS, zstd: ZSTD, none: NONE };

const CODECS: readonly Codec[] = [GZIP, ZSTD, GZIP_POINTS, NONE];

/** The codec of a number in an index. Indexes of codecs that there are not are no sound indexes. */
export function codecOf(number: number): Codec {
  const codec = CODECS.find((one) => one.number === number);
  if (codec === undefined) throw new Error(`no codec ${number}`);
  return codec;
}
