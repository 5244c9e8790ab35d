// SPDX-License-Identifier: GPL-3.0-or-later

/** How the chunks of a layer are compressed: which decoder in src/workers reads them. Numbers are those of the index. */

import { addon, type StreamForm } from '../../native/addon.js';

export interface Codec {
  readonly number: number;
  readonly form: StreamForm;
  /** Bytes that one byte of the blob yields at most. */
  readonly expansion: number;
}

/** A gzip member holds one chunk, or several; deflate's match of 258 bytes takes two bits at least (RFC 1951). */
export const GZIP: Codec = { number: addon.layout.constants.codecGzip, form: 'gzip', expansion: 1032 };

const CODECS: readonly Codec[] = [GZIP];

/** The codec of a number in an index. Indexes of codecs that there are not are no sound indexes. */
export function codecOf(number: number): Codec {
  const codec = CODECS.find((one) => one.number === number);
  if (codec === undefined) throw new Error(`no codec ${number}`);
  return codec;
}
