// SPDX-License-Identifier: GPL-3.0-or-later

import { isSuccess } from '../http/status.js';
import type { Host } from './host.js';

/**
 * Whether a repository is known to have a blob. Where HEAD is refused, as by stores that registries redirect to, and whose URLs
 * are good for GET alone, its first byte is asked for.
 */
export async function hasBlob(host: Host, repository: string, digest: string, signal?: AbortSignal): Promise<boolean> {
  const request = {
    path: `${repository}/blobs/${digest}`,
    scopes: [{ repository, actions: 'pull,push' }],
    signal,
  } as const;
  const { response: head } = await host.send({ ...request, method: 'HEAD' });
  await head.discard();
  if (isSuccess(head)) return true;
  if (head.status === 404 || head.status === 410) return false;
  const { response } = await host.send({ ...request, method: 'GET', headers: { range: 'bytes=0-0' } });
  await response.discard();
  return isSuccess(response);
}
