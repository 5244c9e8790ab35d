// SPDX-License-Identifier: GPL-3.0-or-later

import type { BlobFile } from './blob-file.js';
import type { Blocks } from './blocks.js';
import type { Fetcher } from './fetcher.js';
import type { Link } from './link.js';

/** A blob that is fetched as it is needed. */
export interface Remote {
  readonly file: BlobFile;
  readonly fetcher: Fetcher;
  readonly link: Link;
  readonly blocks: Blocks;
}
