// SPDX-License-Identifier: GPL-3.0-or-later

/** Manual pages, in the language of man(7). */

import type { Entry, Term } from './entry.js';

/** `crfs-cache-du`: as man is asked for it. */
export function pageName({ words }: Entry): string {
  return words.join('-');
}

/** The page of one command; `others` are the pages that it names at its end. */
export function manualPage(entry: Entry, version: string, others: readonly string[]): string {
  const name = pageName(entry);
  const parts = entry.parts.filter(({ words }) => words.at(-1) !== 'help');
  const [examples, rest] = splitMore(entry.more);
  return [
    '.\\" SPDX-License-Identifier: GPL-3.0-or-later',
    `.TH ${quote(name.toUpperCase())} 1 "" ${quote(`crfs-plugin ${version}`)} "User Commands"`,
    section('NAME', [`${escape(name)} \\- ${escape(entry.description.replace(/\.$/, ''))}`]),
    section('SYNOPSIS', [`.B ${escape(entry.words.join(' '))}`, escape(entry.usage)]),
    section('ARGUMENTS', entry.arguments.flatMap(tagged)),
    section('OPTIONS', entry.options.flatMap(tagged)),
    section(
      'COMMANDS',
      parts.flatMap((part) => tagged({ term: pageOf(part), description: part.description })),
    ),
    section('NOTES', rest),
    section('EXAMPLES', examples.length === 0 ? [] : ['.nf', ...examples, '.fi']),
    section('SEE ALSO', [others.map((other) => `${escape(other)}(1)`).join(',\n')]),
    '',
  ]
    .filter((part) => part !== undefined)
    .join('\n');
}

function pageOf(part: Entry): string {
  return `${pageName(part)}(1)`;
}

function section(title: string, lines: readonly string[]): string | undefined {
  return lines.join('') === '' ? undefined : [`.SH ${title}`, ...lines].join('\n');
}

function tagged({ term, description }: Term): string[] {
  return ['.TP', `.B ${escape(term)}`, escape(description)];
}

/** What --help says at its end, as lines of a page: the examples, and what goes before. What is indented stays as it is. */
function splitMore(more: string): [string[], string[]] {
  const [before = '', examples = ''] = more.split(/^Examples?:\n/m);
  const rest: string[] = [];
  let filled = true;
  for (const line of before.trim().split('\n')) {
    const isText = !line.startsWith(' ');
    if (line === '') rest.push('.PP');
    else if (isText !== filled) rest.push(isText ? '.fi' : '.nf');
    if (line !== '') filled = isText;
    if (line !== '') rest.push(escape(line));
  }
  if (!filled) rest.push('.fi');
  return [
    examples === ''
      ? []
      : examples
          .trimEnd()
          .split('\n')
          .map((line) => escape(line.trimStart())),
    rest,
  ];
}

function quote(text: string): string {
  return `"${escape(text).replaceAll('"', '\\(dq')}"`;
}

/** Text that is shown as it is: hyphens can be copied from the page, and no line is taken for a request. */
function escape(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replace(/^\./gm, '\\&.');
}
