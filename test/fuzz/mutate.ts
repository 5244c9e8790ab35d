// SPDX-License-Identifier: GPL-3.0-or-later

/** Numbers that look random and are the same in every run: the generator splitmix32. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) % below;
  };
}

const NASTY = ['-1', '0', '1e309', '9007199254740993', '0.5', 'null', '{}', '[]', '""', '"\\u0000"', '"../x"', '\xff'];

/** Damages bytes in one to four places: bits, runs, cuts, repeats, and words that are likely to break a text. */
export function mutate(seed: Buffer, random: (below: number) => number): Buffer {
  let bytes = Buffer.from(seed);
  for (let times = 1 + random(4); times > 0; times--) {
    const at = random(bytes.length + 1);
    const to = Math.min(bytes.length, at + 1 + random(40));
    const before = bytes.subarray(0, at);
    const word = Buffer.from(NASTY[random(NASTY.length)] ?? '', 'latin1');
    if (random(3) === 0 && at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
    else if (random(3) === 0) bytes = Buffer.concat([before, bytes.subarray(to)]);
    else if (random(2) === 0) bytes = Buffer.concat([before, bytes.subarray(at, to), bytes.subarray(at)]);
    else bytes = Buffer.concat([before, word, bytes.subarray(random(2) ? to : at)]);
  }
  return bytes;
}
