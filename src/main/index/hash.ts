// SPDX-License-Identifier: GPL-3.0-or-later

/** The hash of a path; crfs_hash_path in csrc/shared/index.h tells why it is as it is. */

/** The word that picks the slot, unsigned. */
export function hashPlace(seed: number, bytes: Uint8Array, start: number, end: number): number {
  let place = seed ^ 0x811c9dc5;
  for (let i = start; i < end; i++) {
    place = Math.imul(place ^ (bytes[i] as number), 0x01000193);
  }
  place ^= place >>> 16;
  place = Math.imul(place, 0x7feb352d);
  return (place ^ (place >>> 15)) >>> 0;
}

/** The word that tells paths of one slot apart, unsigned. */
export function hashTag(seed: number, bytes: Uint8Array, start: number, end: number): number {
  let tag = (seed + 0x9e3779b9) | 0;
  for (let i = start; i < end; i++) {
    tag = Math.imul(tag + (bytes[i] as number), 0x85ebca6b);
    tag ^= tag >>> 15;
  }
  return tag >>> 0;
}
