// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { decodeQuestion, encodeAnswer, messageLimit } from '../../src/main/daemon/message.js';

test('a question that is shorter or longer than it says is none', (t) => {
  const whole = encodeAnswer({ kind: 'error', errno: 5, text: 'text' }); // the form is the same
  t.is(decodeQuestion(whole).kind, 'unknown');
  for (const bytes of [
    Buffer.alloc(0),
    whole.subarray(0, 8),
    whole.subarray(0, -1),
    Buffer.concat([whole, Buffer.of(0)]),
  ]) {
    t.throws(() => decodeQuestion(bytes), { code: 'CRFS_USAGE' }, `${bytes.length}`);
  }
});

test('a text that is too long is cut', (t) => {
  t.is(encodeAnswer({ kind: 'error', errno: 5, text: 'x'.repeat(1 << 20) }).length, messageLimit);
});
