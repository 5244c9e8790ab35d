// SPDX-License-Identifier: GPL-3.0-or-later

/** What an image without layers shows: an empty root. */

import { gzipSync } from 'node:zlib';
import { streaming } from '../blob/streaming.js';
import { footerOf } from '../formats/estargz/footer.js';
import { TOC_NAME } from '../formats/estargz/names.js';
import { BLOCK_SIZE, padding, plainHeader } from '../tar/header.js';
import type { RemoteLayer } from './open.js';

const name = 'the empty root of an image without layers';

/** An eStargz layer that holds nothing. */
export function emptyLayer(): RemoteLayer {
  const bytes = emptyBlob();
  const open: RemoteLayer['open'] = async () =>
    streaming({
      name,
      size: bytes.length,
      read: async (offset, length) => bytes.subarray(offset, offset + length),
      close: async () => undefined,
    });
  return { name, identity: 'empty layer', origin: name, open, openToc: async () => undefined };
}

function emptyBlob(): Buffer {
  const toc = Buffer.from('{"version":1,"entries":[]}');
  const end = Buffer.alloc(2 * BLOCK_SIZE);
  const content = gzipSync(end); // there has to be something before the TOC
  const tar = Buffer.concat([plainHeader(TOC_NAME, toc.length), toc, padding(toc.length), end]);
  return Buffer.concat([content, gzipSync(tar), footerOf('estargz', content.length)]);
}
