// SPDX-License-Identifier: GPL-3.0-or-later

/** Mounts and layers of the daemon as its status shows them. */

import { addon } from '../../native/addon.js';
import type { BlobRecord } from '../cache/records.js';
import { errorName } from '../errors/name.js';
import type { Remote } from '../fetch/remote.js';
import type { Supply } from '../fetch/supply.js';
import { isIndexed } from '../formats/kinds.js';
import { shownConfiguration } from '../sources/configuration.js';
import type { OpenLayer } from './open-layers.js';
import { linkOf, startOf } from './processes.js';
import type { Session } from './session.js';
import type { Status } from './status.js';

const HOST = 'fuse-overlayfs';

type LayerStatus = Status['layers'][number];

export function describeMount(session: Session): Status['mounts'][number] {
  const { mountpoint, pid, since, configuration, asked, stale, layers, reading, ring, starts } = session;
  const [driver, why] = /^(\S+?)(?:: (.*))?$/s.exec(session.driver ?? HOST)?.slice(1) ?? [];
  return {
    mountpoint,
    pid,
    driver: driver === 'overlay' ? 'overlay' : HOST,
    why: why ?? null,
    mountNamespace: session.mountNamespace ?? linkOf(pid, 'ns/mnt') ?? null,
    since: (startOf(pid) ?? since).toISOString(),
    configurations: (configuration === undefined ? asked : [configuration]).map(shownConfiguration),
    stale,
    layers: layers.map((layer) => layer.number),
    reading,
    ring,
    wholeFiles: ring?.lazy === addon.layout.constants.lazyImpossible ? errorName(ring.lazyError) : null,
    starts: starts.map((start) => start.describe()),
  };
}

/** `supply`: what downloads the layer. */
export function describeLayer(layer: OpenLayer, supply: Supply): LayerStatus {
  const { number, name, record, pinned, blob, users } = layer;
  return {
    number,
    name,
    kind: record.kind,
    tocDigest: `sha256:${record.tocDigest}`,
    inodes: record.inodes,
    files: record.files,
    contentSize: record.contentSize,
    verified: verifiedBy(record, pinned),
    fetched: blob.remote ? { ...describeRemote(blob.remote), download: supply.download(number) } : null,
    mounts: users,
  };
}

function verifiedBy({ kind, unverified }: BlobRecord, pinned: boolean): string {
  if (unverified) return 'nothing: some files have no digest';
  if (isIndexed(kind)) return 'the digests of an index in its registry';
  return pinned ? 'the digests of its manifest' : 'the digests of its TOC';
}

function describeRemote({
  fetcher,
  blocks,
  link,
  file,
}: Remote): Omit<NonNullable<LayerStatus['fetched']>, 'download'> {
  const { bytes, requests } = fetcher;
  return { bytes, requests, size: file.size, present: blocks.present / Math.max(1, blocks.count), ...link.describe() };
}
