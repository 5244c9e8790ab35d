// SPDX-License-Identifier: GPL-3.0-or-later

import { randomBytes } from 'node:crypto';
import test from 'ava';
import { placeEnd, placeOver, placeStart, tagEnd, tagOver, tagStart } from '../../src/main/index/hash.js';
import { addon } from '../../src/native/addon.js';

function hash(seed: number, bytes: Uint8Array, cut = 0): [number, number] {
  const place = placeOver(placeOver(placeStart(seed), bytes, 0, cut), bytes, cut, bytes.length);
  const tag = tagOver(tagOver(tagStart(seed), bytes, 0, cut), bytes, cut, bytes.length);
  return [placeEnd(place), tagEnd(tag)];
}

test('hashes as C does, whatever the seed and the bytes', (t) => {
  const seeds = [
    0,
    1,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    ...Array.from({ length: 20 }, () => randomBytes(4).readUInt32LE()),
  ];
  const paths = [Buffer.alloc(0), Buffer.from('usr/bin/python3'), Buffer.alloc(4095, 0xff)];
  for (let i = 0; i < 200; i++) paths.push(randomBytes(i));
  for (const seed of seeds) {
    for (const path of paths) {
      t.deepEqual(hash(seed, path), addon.indexHash(seed, path));
    }
  }
});

test('the hash of a path goes on from that of its directory', (t) => {
  const path = Buffer.from('usr/lib/python3.11/os.py');
  for (let cut = 0; cut <= path.length; cut++) {
    t.deepEqual(hash(12345, path, cut), addon.indexHash(12345, path));
  }
});
