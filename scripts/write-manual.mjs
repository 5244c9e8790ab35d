// SPDX-License-Identifier: GPL-3.0-or-later

// Makes of what --help knows what is installed below share/: manual pages, and what shells complete.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bashCompletion } from '../dist/src/main/manual/bash.js';
import { entryOf, withParts } from '../dist/src/main/manual/entry.js';
import { fishCompletion } from '../dist/src/main/manual/fish.js';
import { manualPage, pageName } from '../dist/src/main/manual/page.js';
import { zshCompletion } from '../dist/src/main/manual/zsh.js';
import { createProgram } from '../dist/src/main/program.js';
import { version } from '../dist/src/main/version.js';

function write(path, text) {
  mkdirSync(dirname(join('dist/share', path)), { recursive: true });
  writeFileSync(join('dist/share', path), text);
}

rmSync('dist/share', { recursive: true, force: true });
const program = entryOf(await createProgram());
const pages = withParts(program).filter(({ words }) => words.at(-1) !== 'help');
for (const entry of pages) {
  const near = pages.filter(({ words }) => words.length > 1 && words[1] === entry.words[1] && words !== entry.words);
  const others = new Set(['crfs', ...near.map(pageName)].filter((name) => name !== pageName(entry)));
  write(`man/man1/${pageName(entry)}.1`, manualPage(entry, version, [...others]));
}
write('bash-completion/completions/crfs', bashCompletion(program));
write('zsh/site-functions/_crfs', zshCompletion(program));
write('fish/vendor_completions.d/crfs.fish', fishCompletion(program));
