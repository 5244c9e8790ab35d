// SPDX-License-Identifier: GPL-3.0-or-later

/** That what the pages tell people to type is tried. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { top } from '../tools/machine.js';
import { BLOCKS, blocksOf, keyOf, pages } from '../tools/pages.js';

test('each block of README.md and docs/ is tried as it is written, or is known not to be', (t) => {
  const keys = pages().flatMap((page) => blocksOf(page).map(keyOf));
  t.deepEqual([...new Set(keys)].sort(), Object.keys(BLOCKS).sort());
});

test('what tries a block takes it from its page', (t) => {
  for (const [key, tried] of Object.entries(BLOCKS)) {
    if (!('by' in tried)) continue;
    const text = readFileSync(join(top, tried.by), 'utf8');
    const lines = pages()
      .flatMap(blocksOf)
      .filter((block) => keyOf(block) === key)
      .flatMap((block) => block.split('\n'));
    const named = lines.map((line) => line.replace(/^sudo |\s+#.*$/g, '').trim());
    t.true(
      text.includes('recipe(') || named.some((line) => text.includes(line)),
      `${tried.by} names no line of the block of ${key}`,
    );
    t.regex(text, /commandsWith\(|recipe\(|README\.md/, tried.by);
  }
});
