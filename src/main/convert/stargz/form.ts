// SPDX-License-Identifier: GPL-3.0-or-later

import type { Deflater } from '../deflater.js';
import type { LayerForm, StargzFormat } from '../form.js';
import { verifiable } from './annotations.js';
import { writeEnd } from './layer-end.js';
import { StargzDialect } from './toc-dialect.js';

/** eStargz, or the legacy form. Both put the TOC into the tar, and the end of that behind it. */
export function stargzForm(format: StargzFormat, { level }: Deflater): LayerForm {
  return {
    landmarks: format === 'estargz',
    endsAtChunks: false,
    dialect: new StargzDialect(format === 'estargz'),
    parts: { header: () => undefined, content: () => undefined, filling: () => undefined },
    async end(members, toc, spool) {
      await members.finish();
      const tocDigest = `sha256:${await toc.finish()}`;
      await writeEnd(members, spool, format, level);
      // The TOC of the legacy form lacks the digests of chunks, which readers that are given its digest would look for.
      const annotations = format === 'estargz' ? verifiable(tocDigest, members.uncompressed) : {};
      return { tocDigest, annotations };
    },
    close: async () => undefined,
  };
}
