// SPDX-License-Identifier: GPL-3.0-or-later

/** What policies know images by: containers-policy.json(5), "Supported transports and their scopes". */

import { realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

export interface Subject {
  /** What to call the image in messages. */
  readonly name: string;
  /** As in a name of an image: `docker`, `oci`. */
  readonly transport: string;
  /** Scopes that it lies in, the most specific first; the transport's default is none of them. */
  readonly scopes: readonly string[];
}

/** An image of a registry. A digest wins over a tag, as it does where the image is asked for. */
export function registryImage(reference: {
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: string;
}): Subject {
  const { registry, repository, tag = 'latest', digest } = reference;
  const suffix = digest === undefined ? `:${tag}` : `@${digest}`;
  const name = `${registry}/${repository}`;
  const parts = name.split('/');
  const namespaces = parts.map((_, index) => parts.slice(0, parts.length - index).join('/'));
  const labels = registry.replace(/:\d+$/, '').split('.');
  const wildcards = labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join('.')}`);
  return {
    name: `docker://${name}${suffix}`,
    transport: 'docker',
    scopes: [`${name}${suffix}`, ...namespaces, ...wildcards],
  };
}

/** An image in a directory or a file: known by its path without symlinks, and by the directories above it. */
export async function localImage(transport: string, path: string): Promise<Subject> {
  const name = `${transport}:${path}`;
  if (transport === 'docker-archive') return { name, transport, scopes: [] };
  const scopes: string[] = [];
  let at = await realpath(path).catch(() => resolve(path)); // what is not there is refused where it is opened
  for (; at !== '/'; at = dirname(at)) scopes.push(at);
  return { name, transport, scopes };
}
