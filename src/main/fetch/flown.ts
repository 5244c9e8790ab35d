// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * What bytes are asked of the network for: to read the TOC, for a reader who waits, for what a reader goes on to, for what is
 * about to be asked for, as an earlier start has read it, or behind all that.
 */
export type Purpose = 'toc' | 'demand' | 'stream' | 'ahead' | 'order' | 'background';

/** A request on the wire that has ended, in vain or not: the bytes [offset, end) of the blob have come by it. */
export interface Flown {
  readonly purpose: Purpose;
  readonly offset: number;
  readonly end: number;
  /** Milliseconds until its first byte, and altogether. */
  readonly firstByteMs: number;
  readonly ms: number;
}
