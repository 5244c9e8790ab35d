// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { layersOf, type Status } from '../../src/main/daemon/status.js';

test('a mount has its layers in its own order, and those that its image has twice, twice', (t) => {
  const layers = [4, 5, 7].map((number) => ({ number })) as unknown as Status['layers'];
  const numbersOf = (numbers: readonly number[]): number[] => layersOf({ layers }, numbers).map(({ number }) => number);
  t.deepEqual(numbersOf([7, 4, 7]), [7, 4, 7]);
  t.deepEqual(numbersOf([5, 6]), [5]); // opened since the layers were listed
});
