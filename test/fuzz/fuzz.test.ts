// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { compileFuzzer, findClang, fuzzNative, native } from './native.js';
import { fuzz, targets } from './typescript.js';

/** Enough to see that each target works; `npm run fuzz` looks for faults. */
const SECONDS = 1;

const clang = await findClang();
if (clang === undefined) process.stderr.write('fuzzers of C are skipped: there is no clang\n');
const fuzzing = clang === undefined ? test.skip : test.serial;

for (const name of Object.keys(native)) {
  fuzzing(`libFuzzer finds nothing wrong with what reads hostile bytes in C: ${name}`, async (t) => {
    const runs = await fuzzNative(await compileFuzzer(clang ?? '', name), name, SECONDS);
    t.log(`${runs} runs`);
    t.true(runs > 0);
  });
}

for (const name of Object.keys(targets)) {
  test.serial(`damaged bytes are refused with a CrfsError or taken: ${name}`, async (t) => {
    const { runs, taken } = await fuzz(name, SECONDS, Date.now() % 1e6);
    t.log(`${runs} runs, ${taken} taken`);
    t.true(runs > 0);
  });
}
