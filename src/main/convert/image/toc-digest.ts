// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash } from 'node:crypto';
import type { BlobSource } from '../../blob/source.js';
import { readFooter } from '../../formats/estargz/footer.js';
import { readToc } from '../../formats/estargz/toc.js';

/** The digest of the TOC of a layer that is eStargz already; undefined for any other. Rejects with LayerFault if it breaks the format. */
export async function tocDigestOfEstargz(source: BlobSource): Promise<string | undefined> {
  const footer = await readFooter(source);
  if (footer?.kind !== 'estargz') return undefined;
  const hash = createHash('sha256');
  for await (const piece of readToc(source, footer.tocOffset, footer.start)) hash.update(piece);
  return `sha256:${hash.digest('hex')}`;
}
