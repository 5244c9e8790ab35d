// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash } from 'node:crypto';
import type { StreamSource } from '../../blob/source.js';
import { CrfsError } from '../../errors/error.js';
import { readFooter } from '../../formats/footer.js';
import { openToc } from '../../formats/toc.js';

/** The digest of the TOC of a layer that is eStargz already, undefined for any other. */
export async function estargzToc(source: StreamSource): Promise<string | undefined> {
  try {
    if ((await readFooter(source)).kind !== 'estargz') return undefined;
  } catch (error) {
    if (error instanceof CrfsError && error.code === 'CRFS_NOT_STARGZ') return undefined;
    throw error;
  }
  const hash = createHash('sha256');
  for await (const piece of (await openToc(source)).json) hash.update(piece);
  return `sha256:${hash.digest('hex')}`;
}
