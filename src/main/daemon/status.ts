// SPDX-License-Identifier: GPL-3.0-or-later

import type { Opens, RingStatus } from '../../native/addon.js';
import type { Counter } from '../../workers/board/counters.js';
import type { EngineName } from '../../workers/engine-names.js';
import type { Download } from '../fetch/supply.js';
import type { Reading } from './reading.js';
import type { CacheUsage } from './upkeep.js';

/** What the daemon tells of itself: `crfs status --json` prints it, and the mounts that it does not know. */
export interface Status {
  readonly version: string;
  /** Version of the control protocol: csrc/shared/control.h. Daemons before it was told leave it out. */
  readonly protocol?: number;
  readonly pid: number;
  /** ISO 8601 */
  readonly started: string;
  /** The daemon's cgroup2, as /proc/PID/cgroup names it; null: it has none. */
  readonly cgroup: string | null;
  readonly cache: string;
  readonly usage: CacheUsage;
  readonly log: string;
  readonly memory: { readonly rss: number };
  readonly workers: {
    /** Those that there are now, and how many there may be. */
    readonly count: number;
    readonly most: number;
    readonly engine: EngineName;
    /** Files being filled now. */
    readonly busy: number;
    /** Workers that died and were started again. */
    readonly restarts: number;
  };
  readonly mounts: readonly {
    /** Absolute, as whoever mounted sees it; `?` where that is not known. */
    readonly mountpoint: string;
    /** The process that serves the mount: crfs-lower, or fuse-overlayfs. */
    readonly pid: number;
    /** What mounts it: the kernel's overlay, or fuse-overlayfs. */
    readonly driver: 'overlay' | 'fuse-overlayfs';
    /** Why it is not the other driver; null: that was not looked for. */
    readonly why: string | null;
    /**
     * Where the mountpoint is to be seen: `mnt:[…]`, as readlink tells of /proc/PID/ns/mnt. Another than one's own: the
     * mount is in another namespace. null: it may not be looked at.
     */
    readonly mountNamespace: string | null;
    /** When what serves it was started. */
    readonly since: string;
    /** What is mounted, without credentials: the topmost first, where it is more than one thing. */
    readonly configurations: readonly string[];
    /** Why something of it is what its name stood for last: its registry did not answer. Daemons before there was that leave it out. */
    readonly stale?: readonly string[];
    /** Numbers of `layers` below: the base first, as `--layer` counts those of an image. */
    readonly layers: readonly number[];
    /** Its layers without a TOC that are just being read as a whole. Daemons before there was that leave it out. */
    readonly reading?: readonly Reading[];
    readonly ring: RingStatus | null;
    /**
     * Why its reads wait for whole files, and not just for what they touch: what making a FUSE mount of its own failed with,
     * such as `EPERM`. null: they do not, as far as it has tried.
     */
    readonly wholeFiles: string | null;
    /** What is being learned, or was, of how its images start. Daemons before there was that leave it out. */
    readonly starts?: readonly {
      /** Digest of the image's manifest. */
      readonly image: string;
      /** `off`: all of it was here. */
      readonly recording: 'under way' | 'ended' | 'off';
      /** Of which something was read. */
      readonly files: number;
      /** What is fetched ahead, as an earlier start has read it; null: none is known. */
      readonly order: {
        readonly files: number;
        /** Of the blobs. */
        readonly bytes: number;
        /** `stopped`: it was wrong too often, has failed, or the start has ended before. */
        readonly fetching: 'under way' | 'ended' | 'stopped';
        /** What was read of it, and what was read that is not in it: by files, or runs of their chunks. */
        readonly foreseen: number;
        readonly unforeseen: number;
      } | null;
    }[];
  }[];
  /** Stores that layers were taken from since they, or this daemon, began. Daemons before there were any leave it out. */
  readonly stores?: readonly {
    /** Absolute, as whoever mounted sees it. */
    readonly directory: string;
    /** The process that serves it. */
    readonly pid: number;
    /** As of a mount. */
    readonly mountNamespace: string | null;
    readonly images: readonly {
      /** As podman asks for it: `docker://…`. */
      readonly name: string;
      readonly layers: readonly {
        /** By which it is asked for: of its blob, or of its TOC. */
        readonly digest: string;
        /** One of `layers` below; null: it is being opened. */
        readonly number: number | null;
        /** How often containers-storage uses it. */
        readonly uses: number;
      }[];
    }[];
  }[];
  readonly layers: readonly {
    readonly number: number;
    readonly name: string;
    readonly kind: string;
    readonly tocDigest: string;
    readonly verified: string;
    readonly inodes: number;
    readonly files: number;
    readonly contentSize: number;
    readonly mounts: number;
    /** Of a remote layer: what came over the network since the daemon started, and what is there of the blob, 0 to 1. */
    readonly fetched: {
      readonly bytes: number;
      readonly requests: number;
      readonly size: number;
      readonly present: number;
      /** What has become of downloading it in the background: `background` says how much of it that is. */
      readonly download: Download;
      readonly roundTripMs: number | null;
      readonly bytesPerSecond: number | null;
    } | null;
  }[];
  /** Of all mounts since the daemon started, those that have gone included. */
  readonly opens: Opens;
  /** Since the daemon started. */
  readonly counters: Readonly<Record<Counter, number>>;
}

/** The processes that serve what the daemon knows. */
export function serversOf({ mounts, stores = [] }: Status): number[] {
  return [...mounts, ...stores].map(({ pid }) => pid);
}

/** The layers of a mount, by the numbers that it has: the base first, and one that its image has twice twice. */
export function layersOf({ layers }: Pick<Status, 'layers'>, numbers: readonly number[]): Status['layers'] {
  const byNumber = new Map(layers.map((layer) => [layer.number, layer]));
  return numbers.flatMap((number) => byNumber.get(number) ?? []);
}
