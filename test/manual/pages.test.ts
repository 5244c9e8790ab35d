// SPDX-License-Identifier: GPL-3.0-or-later

/** Manual pages, rendered by the real man. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { Command } from 'commander';
import { entryOf, withParts } from '../../src/main/manual/entry.js';
import { manualPage, pageName } from '../../src/main/manual/page.js';
import { createProgram } from '../../src/main/program.js';
import { top } from '../tools/machine.js';
import { run } from '../tools/run.js';

const built = join(top, 'dist/share/man/man1');

function isThere(program: string): boolean {
  try {
    execFileSync('which', [program]);
    return true;
  } catch {
    return false;
  }
}

const rendering = isThere('man') ? test : test.skip;

/** The text of a page, once it was seen that man has nothing to say about it. */
async function rendered(path: string): Promise<string> {
  const script = 'exec 2>&1; man --warnings -l "$0" | col -bx'; // what it warns of would stand in the text
  return String(await run('sh', ['-c', script, path], { env: { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '80' } }));
}

rendering(
  'there is a page for each command, without a warning, with all of its options and what --help ends with',
  async (t) => {
    const pages = withParts(entryOf(await createProgram())).filter(({ words }) => words.at(-1) !== 'help');
    t.deepEqual(readdirSync(built).sort(), pages.map((page) => `${pageName(page)}.1`).sort());
    for (const page of pages) {
      const text = await rendered(join(built, `${pageName(page)}.1`));
      t.regex(text, new RegExp(`^${pageName(page).toUpperCase()}\\(1\\)`));
      t.notRegex(text, /warning|error: /i, page.words.join(' '));
      for (const term of [...page.options, ...page.arguments]) t.true(text.includes(term.term), term.term);
      for (const part of page.parts.filter(({ words }) => words.at(-1) !== 'help'))
        t.true(text.includes(`${pageName(part)}(1)`));
      t.true(page.parts.length > 0 || /^Examples?:\n./m.test(page.more), `${page.words.join(' ')} has no examples`);
      const examples = page.more.split(/^Examples?:\n/m)[1]?.split('\n') ?? [];
      for (const line of examples) t.true(text.includes(line.trim()), line);
    }
  },
);

rendering('text is shown as it is, whatever it would mean to man', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'crfs-pages-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const odd = `.so "x" '\\n' \\fB-- ~^\``;
  const command = new Command('odd')
    .description(odd)
    .option('--odd <dir>', odd)
    .addHelpText('after', `\n${odd}\n  ${odd}\n'x\n.TH\n\nExamples:\n  ${odd}`);
  const path = join(directory, 'odd.1');
  writeFileSync(path, manualPage(entryOf(command), '1.0', ['other']));
  const text = await rendered(path);
  t.is(text.split(odd).length - 1, 5, text);
  t.regex(text, /'x \.TH\n/);
  t.regex(text, /other\(1\)\n/);
  t.notRegex(text, /warning/);
});
