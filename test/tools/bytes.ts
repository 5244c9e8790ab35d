// SPDX-License-Identifier: GPL-3.0-or-later

import type { ExecutionContext } from 'ava';

/** Asserts that bytes are those expected. `t.deepEqual` takes 7 s for each MB of a Buffer. */
export function sameBytes(t: ExecutionContext, actual: Uint8Array, expected: Uint8Array | undefined): void {
  const wanted = expected ?? new Uint8Array(0);
  const same = Buffer.compare(actual, wanted) === 0;
  const at = same ? 0 : actual.findIndex((byte, index) => byte !== wanted[index]);
  t.true(same, `${actual.length} bytes, of which that at ${at} is wrong; expected were ${wanted.length}`);
}
