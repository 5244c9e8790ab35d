// SPDX-License-Identifier: GPL-3.0-or-later

import { GZIP, GZIP_POINTS, NONE, ZSTD } from '../../main/formats/codec.js';
import type { EngineName } from '../engine-names.js';
import type { Decoder } from './decoder.js';
import { gunzip } from './gunzip.js';
import { libdeflate } from './libdeflate.js';
import { libzstd } from './libzstd.js';
import { none } from './none.js';
import { pako } from './pako.js';
import { zlib } from './zlib.js';

/** By the codec's number in the index, and the engine. A further codec is a decoder in this folder, and a line here. */
const DECODERS: ReadonlyMap<number, Readonly<Record<EngineName, Decoder>>> = new Map([
  [GZIP.number, { libdeflate, zlib, pako }],
  [GZIP_POINTS.number, { libdeflate: gunzip, zlib: gunzip, pako: gunzip }], // only zlib can begin at a point
  [ZSTD.number, { libdeflate: libzstd, zlib: libzstd, pako: libzstd }], // there is one for zstd
  [NONE.number, { libdeflate: none, zlib: none, pako: none }],
]);

/** What reads the layers of a codec with an engine. Indexes of codecs that it does not know are no sound indexes. */
export function decoderOf(codec: number, engine: EngineName): Decoder {
  const decoder = DECODERS.get(codec)?.[engine];
  if (decoder === undefined) throw new Error(`no ${engine} for codec ${codec}`);
  return decoder;
}
