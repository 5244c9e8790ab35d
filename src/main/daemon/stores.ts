// SPDX-License-Identifier: GPL-3.0-or-later

/** Stores as the daemon's status shows them: each of their layers has a session of its own. */

import type { References } from '../cache/references.js';
import { linkOf } from './processes.js';
import type { Session } from './session.js';
import type { Status } from './status.js';

type Stores = NonNullable<Status['stores']>;
type StoredLayer = Stores[number]['images'][number]['layers'][number];

/** Whether a session is that of a layer of a store, and not of a mount. */
export function isOfStore({ driver }: Session): boolean {
  return driver === 'store';
}

/** The stores that these sessions are of. */
export function describeStores(sessions: readonly Session[], references: References): Stores {
  return grouped(sessions, ({ pid }) => String(pid)).map(([, [first, ...others]]) => {
    const { mountpoint, pid, mountNamespace } = first;
    const layers = [first, ...others].flatMap((session) => describe(session, references) ?? []);
    return {
      directory: mountpoint,
      pid,
      mountNamespace: mountNamespace ?? linkOf(pid, 'ns/mnt') ?? null,
      images: grouped(layers, ({ name }) => name).map(([name, some]) => ({
        name,
        layers: some.map(({ layer }) => layer),
      })),
    };
  });
}

/** Undefined: it has not asked for its layer yet. */
function describe(
  { asked, layers }: Session,
  references: References,
): { name: string; layer: StoredLayer } | undefined {
  const [configuration] = asked;
  if (configuration === undefined) return undefined;
  const { asked: first = configuration, uses = 0 } = references.of(configuration) ?? {};
  const [name = '', digest = ''] = first.split('#');
  return { name, layer: { digest, number: layers[0]?.number ?? null, uses } };
}

/** By what `key` makes of each, in the order in which these came first. */
function grouped<T>(all: readonly T[], key: (one: T) => string): [string, [T, ...T[]]][] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const one of all) {
    const group = groups.get(key(one));
    if (group === undefined) groups.set(key(one), [one]);
    else group.push(one);
  }
  return [...groups];
}
