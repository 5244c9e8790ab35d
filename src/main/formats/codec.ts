// SPDX-License-Identifier: GPL-3.0-or-later

/** How the chunks of a layer are compressed: which decoder in src/workers reads them. Numbers are those of the index. */

import { addon } from '../../native/addon.js';

export interface Codec {
  readonly number: number;
  /** Bytes that one byte of the blob yields at most. */
  readonly expansion: number;
}

/** A gzip member holds one chunk, or several; deflate's match of 258 bytes takes two bits at least (RFC 1951). */
export const GZIP: Codec = { number: addon.layout.constants.codecGzip, expansion: 1032 };
