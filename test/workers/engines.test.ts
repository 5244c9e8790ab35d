// SPDX-License-Identifier: GPL-3.0-or-later

import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { engineNames } from '../../src/workers/engine-names.js';
import { engines } from '../../src/workers/inflate/engine.js';

const contents = {
  'one byte': Buffer.of(7),
  zeros: Buffer.alloc(300_000),
  text: Buffer.from('the quick brown fox jumps over the lazy dog\n'.repeat(5000)),
  noise: randomBytes(200_000),
};

for (const name of engineNames) {
  const engine = engines[name];

  for (const [what, content] of Object.entries(contents)) {
    test(`${name} inflates ${what}`, (t) => {
      const output = Buffer.alloc(content.length + 10);
      t.is(engine.inflate(gzipSync(content), output), content.length);
      t.deepEqual(output.subarray(0, content.length), content);
    });
  }

  test(`${name} goes on with the next member`, (t) => {
    const output = Buffer.alloc(100);
    const input = Buffer.concat([gzipSync('first, '), gzipSync('second')]);
    const length = engine.inflate(input, output);
    t.is(output.toString('utf8', 0, length), 'first, second');
  });

  test(`${name} stops where the output is full, in the middle of a member`, (t) => {
    const output = Buffer.alloc(1000);
    t.is(engine.inflate(gzipSync(contents.text), output), 1000);
    t.deepEqual(output, contents.text.subarray(0, 1000));
  });

  test(`${name} refuses a wrong checksum`, (t) => {
    const input = gzipSync(contents.text);
    input[input.length - 8]! ^= 1;
    const output = Buffer.alloc(contents.text.length + 10);
    t.throws(() => engine.inflate(input, output), { code: 'CRFS_BAD_LAYER' });
  });

  test(`${name} refuses what is no gzip member`, (t) => {
    t.throws(() => engine.inflate(randomBytes(500), Buffer.alloc(5000)), { code: 'CRFS_BAD_LAYER' });
  });

  test(`${name} never yields all of a member that was cut off`, (t) => {
    const input = gzipSync(contents.noise);
    const output = Buffer.alloc(contents.noise.length + 10);
    let length = 0;
    try {
      length = engine.inflate(input.subarray(0, input.length / 2), output);
    } catch (error) {
      t.is((error as { code?: string }).code, 'CRFS_BAD_LAYER');
    }
    t.true(length < contents.noise.length);
  });
}
