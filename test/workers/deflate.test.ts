// SPDX-License-Identifier: GPL-3.0-or-later

/** What the engines make of members: the same on every machine, within the bound that is told. */

import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import test from 'ava';
import { engines, memberBound } from '../../src/workers/deflate/engines.js';
import { engineNames } from '../../src/workers/engine-names.js';

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
