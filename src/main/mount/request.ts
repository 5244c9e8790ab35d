// SPDX-License-Identifier: GPL-3.0-or-later

import type { Driver } from './driver.js';

export interface MountRequest {
  /** As canonicalConfiguration makes it. */
  readonly configuration: string;
  readonly merged: string;
  /** By what to mount; `auto`: by the kernel's overlay where that can be, else by fuse-overlayfs. */
  readonly driver: Driver | 'auto';
  /** Both or none; with none, the mount is read-only. */
  readonly upper?: string | undefined;
  readonly work?: string | undefined;
  /** Directories below the layers, the topmost first. */
  readonly lower: readonly string[];
  /** Further options, as the driver takes them. */
  readonly options: readonly string[];
  /** Of what serves the mount, for as long as it runs: the daemon goes by it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly foreground: boolean;
  /** Is told what is tried, and what comes of it, a line each. */
  readonly tell: (line: string) => void;
  /** Is given what the server says once it has mounted, line by line, as it is. */
  readonly passOn: (line: string) => void;
  /** Ends the mount, while it is made or in the foreground. */
  readonly signal: AbortSignal;
}

/** A request whose directories were looked at. */
export interface CheckedRequest extends MountRequest {
  /** The real path of `merged`. */
  readonly mountpoint: string;
  /** Options of `options`, one by one. */
  readonly given: readonly string[];
}

/** What serves a mount. */
export interface Served {
  /** In the foreground: resolves to whether it has ended well. */
  readonly ended: Promise<boolean> | undefined;
}

export interface Mounted extends Served {
  /** The absolute path of `merged`. */
  readonly mountpoint: string;
  readonly driver: Driver;
  /** Why it is not the other driver. */
  readonly why: string;
  /** The kernel's overlay would have been the first choice. */
  readonly isInstead: boolean;
}
