// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * The hash of a path; crfs_hash_path in csrc/shared/index.h tells why it is as it is. In steps, so that the hash of a
 * path goes on from that of its directory: a state before, one after some bytes. A finished word is unsigned.
 */

/** The state of the word that picks the slot, before the first byte. */
export function placeStart(seed: number): number {
  return seed ^ 0x811c9dc5;
}

export function placeStep(state: number, byte: number): number {
  return Math.imul(state ^ byte, 0x01000193);
}

export function placeOver(state: number, bytes: Uint8Array, start: number, end: number): number {
  let place = state;
  for (let i = start; i < end; i++) {
    place = placeStep(place, bytes[i] as number);
  }
  return place;
}

export function placeEnd(state: number): number {
  let place = state ^ (state >>> 16);
  place = Math.imul(place, 0x7feb352d);
  return (place ^ (place >>> 15)) >>> 0;
}

/** The state of the word that tells paths of one slot apart, before the first byte. */
export function tagStart(seed: number): number {
  return (seed + 0x9e3779b9) | 0;
}

export function tagOver(state: number, bytes: Uint8Array, start: number, end: number): number {
  let tag = state;
  for (let i = start; i < end; i++) {
    tag = Math.imul(tag + (bytes[i] as number), 0x85ebca6b);
    tag ^= tag >>> 15;
  }
  return tag;
}

export function tagEnd(state: number): number {
  return state >>> 0;
}
