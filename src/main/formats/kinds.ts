// SPDX-License-Identifier: GPL-3.0-or-later

/** What layers that have no TOC are called, for people. */

import type { Form } from './decode.js';

export const PLAIN_KINDS: Readonly<Record<Form, string>> = {
  gzip: 'plain gzip',
  zstd: 'plain zstd',
  none: 'plain tar',
};
const BY_INDEX = ', by an index in its registry';

/** What one of them is called that is known by an index which is attached to its image. */
export function indexedKind(plain: string): string {
  return `${plain}${BY_INDEX}`;
}

export function isIndexed(kind: string): boolean {
  return kind.endsWith(BY_INDEX);
}

/** A layer's kind as tables have it: without what it is known by. */
export function shortKind(kind: string): string {
  return isIndexed(kind) ? kind.slice(0, -BY_INDEX.length) : kind;
}
