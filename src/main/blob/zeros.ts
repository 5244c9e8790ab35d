// SPDX-License-Identifier: GPL-3.0-or-later

const ZEROS = new Uint8Array(1 << 20);

/** So many bytes that are zero, in pieces of up to 1 MiB, which are nobody's to write to. */
export function* zeros(size: number): Generator<Uint8Array> {
  for (let left = size; left > 0; left -= ZEROS.length) yield ZEROS.subarray(0, left);
}
