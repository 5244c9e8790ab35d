// SPDX-License-Identifier: GPL-3.0-or-later

// Makes of what --help knows what is installed below share/: manual pages, and what shells complete; and below lib/ the units of
// the store.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bashCompletion } from '../dist/src/main/manual/bash.js';
import { entryOf, withParts } from '../dist/src/main/manual/entry.js';
import { fishCompletion } from '../dist/src/main/manual/fish.js';
import { manualPage, pageName } from '../dist/src/main/manual/page.js';
import { zshCompletion } from '../dist/src/main/manual/zsh.js';
import { createProgram } from '../dist/src/main/program.js';
import { UNIT } from '../dist/src/main/setup/places.js';
import { installedUnit } from '../dist/src/main/setup/unit.js';
import { version } from '../dist/src/main/version.js';

function write(path, text) {
  mkdirSync(dirname(join('dist', path)), { recursive: true });
  writeFileSync(join('dist', path), text);
}

for (const made of ['share', 'lib']) rmSync(join('dist', made), { recursive: true, force: true });
const program = entryOf(await createProgram());
const pages = withParts(program).filter(({ words }) => words.at(-1) !== 'help');
for (const entry of pages) {
  const near = pages.filter(({ words }) => words.length > 1 && words[1] === entry.words[1] && words !== entry.words);
  const others = new Set(['crfs', ...near.map(pageName)].filter((name) => name !== pageName(entry)));
  write(`share/man/man1/${pageName(entry)}.1`, manualPage(entry, version, [...others]));
}
write('share/bash-completion/completions/crfs', bashCompletion(program));
write('share/zsh/site-functions/_crfs', zshCompletion(program));
write('share/fish/vendor_completions.d/crfs.fish', fishCompletion(program));
for (const kind of ['system', 'user']) write(`lib/systemd/${kind}/${UNIT}`, installedUnit(kind === 'system'));
