// SPDX-License-Identifier: GPL-3.0-or-later

/** What the daemon's main thread and the workers that serve say to each other. */

/** Chunks of a file of a layer, counted from the file's first. */
export interface Run {
  readonly layer: number;
  readonly inode: number;
  readonly first: number;
  readonly count: number;
}

/** A layer, as the main thread makes it known to the workers. */
export interface LayerFacts {
  readonly number: number;
  /** What to call it in messages. */
  readonly name: string;
  /** Descriptors of the main thread, open until every worker has dropped the layer. */
  readonly indexFd: number;
  readonly blobFd: number;
  /** Where the TOC begins in the blob: every member ends before it. */
  readonly tocOffset: number;
  /** Which blocks of the blob are in its file, where it is fetched as it is needed. */
  readonly blocks?: SharedArrayBuffer;
  /** All of the blob was in its file already when the layer was made known. */
  readonly isHere: boolean;
  /** A byte per region of the blob: 1 once its readahead was asked for, shared by the workers. */
  readonly regions: SharedArrayBuffer;
}

/** What the main thread tells a worker. */
export type Order = { readonly add: LayerFacts } | { readonly drop: number };

/** Chunks of a file that a mount has asked for, or the daemon itself, by one of its rings. */
export interface Asked extends Run {
  readonly ring: number;
}

/** Chunks that are to be fetched. */
export interface Want extends Asked {
  /** Of the request that waits for them, in its ring: whoever fetches them answers it. */
  readonly position?: number;
}

/** Files to fetch before somebody waits for them. */
export type Ahead = readonly { readonly layer: number; readonly inode: number }[];

/** What a worker tells the main thread. */
export type Report =
  /** The worker serves from now on. */
  | { readonly serves: true }
  /** No worker is left that waits for work: another one would have some. */
  | { readonly short: true }
  | { readonly dropped: number }
  /** The worker meets with an error that it has no answer to, and ends. */
  | { readonly died: string }
  | { readonly want: Want }
  /** Chunks of a remote layer were asked for that were here. */
  | { readonly read: Asked }
  | { readonly ahead: Ahead }
  /** Bytes of a remote blob are wrong: they are fetched again. */
  | { readonly doubt: { layer: string; path: string; message: string } }
  | { readonly fault: { layer: string; path: string; code: string; message: string } };
