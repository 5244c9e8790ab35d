// SPDX-License-Identifier: GPL-3.0-or-later

/** `npm run fuzz -- --hours 1`: all targets for so long together, one after the other. Ends with 1 at the first crash. */

import { parseArgs } from 'node:util';
import { compileFuzzer, findClang, fuzzNative, native } from './native.js';
import { fuzz, targets } from './typescript.js';

const USAGE = 'usage: npm run fuzz -- [--hours N]    N: 1, or a part of it, such as 0.01\n';

function hoursGiven(): number {
  try {
    const { values } = parseArgs({ options: { hours: { type: 'string', default: '1' } } });
    return Number(values.hours);
  } catch {
    return Number.NaN;
  }
}

const hours = hoursGiven();
if (!(hours > 0)) {
  process.stderr.write(USAGE);
  process.exit(2);
}
const clang = await findClang();
const names = [...(clang ? Object.keys(native) : []), ...Object.keys(targets)];
const seconds = Math.max(1, Math.round((hours * 3600) / names.length));
for (const name of clang ? Object.keys(native) : []) {
  const runs = await fuzzNative(await compileFuzzer(clang ?? '', name), name, seconds);
  process.stdout.write(`${name} (C): ${runs} runs in ${seconds} s\n`);
}
for (const name of Object.keys(targets)) {
  const { runs, taken } = await fuzz(name, seconds, Date.now() % 1e6);
  process.stdout.write(`${name}: ${runs} runs in ${seconds} s, ${taken} taken\n`);
}
