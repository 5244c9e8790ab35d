// SPDX-License-Identifier: GPL-3.0-or-later

/** What the engines make of members: the same on every machine, within the bound that is told. */

import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import test from 'ava';
import { engines, memberBound } from '../../src/workers/deflate/engines.js';
import { engineNames } from '../../src/workers/engine-names.js';
import { unzstd } from '../tools/read-zstd-layer.js';

const contents = [Buffer.alloc(0), Buffer.of(1), Buffer.alloc(100_000), randomBytes(100_000)];

for (const name of engineNames) {
  test(`members of ${name} tell of no system, time or name, and fit into their bound`, (t) => {
    for (const content of contents) {
      for (const level of [1, 6, 9]) {
        const output = Buffer.alloc(memberBound(content.length));
        const member = output.subarray(0, engines[name](content, output, level));
        t.true(gunzipSync(member).equals(content));
        t.deepEqual([member[3], member.readUInt32LE(4), member[9]], [0, 0, 255]);
      }
    }
  });
}

test('frames of libzstd tell how long their content is and what its checksum is, and fit into their bound', (t) => {
  for (const content of contents) {
    for (const level of [1, 6, 19]) {
      const output = Buffer.alloc(memberBound(content.length));
      const frame = output.subarray(0, engines.libzstd(content, output, level));
      t.true(unzstd(frame).equals(content));
      t.is((frame[4] as number) & 0b0010_0100, 0b0010_0100, 'a single segment, with a checksum');
    }
  }
  t.throws(() => engines.libzstd(randomBytes(100), Buffer.alloc(10), 1), { message: /^libzstd: no room/ });
});
