// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { withoutPasswords } from '../../src/main/errors/passwords.js';

for (const [text, shown] of [
  ['http://me:secret@host/x', 'http://*@host/x'],
  ['https://secret@host', 'https://*@host'],
  ['of HTTPS://me:secret@host/x and hTTp://me:secret@host/y', 'of HTTPS://*@host/x and hTTp://*@host/y'],
  ['http://me:pa:ss@wo@rd@host/x', 'http://*@host/x'],
  [JSON.stringify({ url: 'http://me:pa"ss\\w@host/x' }), JSON.stringify({ url: 'http://*@host/x' })],
  ['http://host/a@b?c=d@e#f@g', 'http://host/a@b?c=d@e#f@g'],
  ['docker://host/image@sha256:0', 'docker://host/image@sha256:0'],
] as const) {
  test(`of ${text} is shown ${shown}`, (t) => {
    t.is(withoutPasswords(text), shown);
  });
}
