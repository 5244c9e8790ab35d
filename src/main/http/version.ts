// SPDX-License-Identifier: GPL-3.0-or-later

/** Which version of something an answer is about, as far as its server says (RFC 9110 section 8.8). */

import type { HttpResponse } from './transport.js';

/** Milliseconds that something must have been left alone for its time to tell its versions apart. */
const SETTLED_MS = 60_000;

export interface Version {
  readonly etag: string | undefined;
  readonly modified: string | undefined;
  /** Whether the time is that old that no other version can have the same. */
  readonly isSettled: boolean;
}

/** An ETag, by what it has in common with those of other encodings of the same: some servers mark these by a suffix. */
function bare(etag: string | undefined): string | undefined {
  return etag?.replace(/^W\//, '').replace(/[-;]+(?:gzip|br|zstd)"$/, '"');
}

export function versionOf(response: HttpResponse): Version {
  const modified = response.header('last-modified');
  const now = Date.parse(response.header('date') ?? '') || Date.now();
  const isSettled = modified !== undefined && now - Date.parse(modified) >= SETTLED_MS;
  return { etag: bare(response.header('etag')), modified, isSettled };
}

/** What to call a version; undefined if the server tells nothing of it. */
export function nameOfVersion({ etag, modified }: Version): string | undefined {
  return etag ?? modified;
}

/** Whether two answers are about the same version. ETags of the same file may differ from node to node: then its time decides. */
export function isSameVersion(one: Version, other: Version): boolean {
  if (one.etag !== undefined && one.etag === other.etag) return true;
  const isSameTime = one.modified !== undefined && one.modified === other.modified;
  return isSameTime && ((one.etag ?? other.etag) === undefined || (one.isSettled && other.isSettled));
}
