// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Layers that registries may not hand on: "foreign" to Docker, "non-distributable" to the OCI image specification. Their
 * descriptors say where else they are. Whoever is asked there is shown no credentials.
 */

import { isLoopback } from '../http/loopback.js';
import { type RangeOptions, RangeSource } from '../http/range-source.js';
import { RedirectCache, sendFollowing } from '../http/redirect.js';
import type { Transport } from '../http/transport.js';
import type { Descriptor } from './types.js';

const FOREIGN = /\.(?:foreign|nondistributable)\./;
/** More than any image names. */
const URLS_LIMIT = 8;

/** Where a foreign layer is, if it is one. Without TLS only where that is near, or as `insecure` as its registry. */
export function foreignUrls({ mediaType = '', urls = [] }: Partial<Descriptor>, insecure: boolean): URL[] {
  if (!FOREIGN.test(mediaType)) return [];
  const given = urls.slice(0, URLS_LIMIT).flatMap((url) => (URL.canParse(url) ? [new URL(url)] : []));
  return given.filter(
    ({ protocol, hostname, username }) =>
      username === '' && (protocol === 'https:' || (protocol === 'http:' && (insecure || isLoopback(hostname)))),
  );
}

/** The bytes behind a URL, as a place of a blob. */
export function atUrl(
  transport: Transport,
  url: URL,
  options: Pick<RangeOptions, 'name' | 'policy' | 'spool' | 'size'>,
): RangeSource {
  const redirects = new RedirectCache(transport, false, async (headers, signal) => {
    const request = { method: 'GET', url, headers, insecure: false, signal } as const;
    return { from: url, response: await sendFollowing(transport, request) };
  });
  return new RangeSource({ ...options, get: redirects.get.bind(redirects), mutable: false });
}
