// SPDX-License-Identifier: GPL-3.0-or-later

import { TOC_DIGEST } from '../../registry/named-toc.js';

export const UNCOMPRESSED_SIZE = 'io.containers.estargz.uncompressed-size';

/** The annotations by which readers check a TOC, and learn the size of what the layer inflates to. */
export function verifiable(toc: string, size: number): Readonly<Record<string, string>> {
  return { [TOC_DIGEST]: toc, [UNCOMPRESSED_SIZE]: String(size) };
}
