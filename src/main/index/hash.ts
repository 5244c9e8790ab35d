// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * The hash of a path: two words, place and tag; crfs_hash_path in csrc/shared/index.h tells why they are as they are. Each is
 * computed in steps from one state to the next, so that the hash of a path goes on from the state of its directory's. The
 * last step makes an unsigned number of 32 bits.
 */

/** The place, which picks the slot: its state before the first byte. */
export function placeStart(seed: number): number {
  return seed ^ 0x811c9dc5;
}

/** The state after one more byte. */
export function placeStep(state: number, byte: number): number {
  return Math.imul(state ^ byte, 0x01000193);
}

/** The state after bytes [start, end). */
export function placeOver(state: number, bytes: Uint8Array, start: number, end: number): number {
  let place = state;
  for (let i = start; i < end; i++) {
    place = placeStep(place, bytes[i] as number);
  }
  return place;
}

/** The place itself. */
export function placeEnd(state: number): number {
  let place = state ^ (state >>> 16);
  place = Math.imul(place, 0x7feb352d);
  return (place ^ (place >>> 15)) >>> 0;
}

/** The tag, which tells paths of one slot apart: its state before the first byte. */
export function tagStart(seed: number): number {
  return (seed + 0x9e3779b9) | 0;
}

/** The state after bytes [start, end). */
export function tagOver(state: number, bytes: Uint8Array, start: number, end: number): number {
  let tag = state;
  for (let i = start; i < end; i++) {
    tag = Math.imul(tag + (bytes[i] as number), 0x85ebca6b);
    tag ^= tag >>> 15;
  }
  return tag;
}

/** The tag itself. */
export function tagEnd(state: number): number {
  return state >>> 0;
}
