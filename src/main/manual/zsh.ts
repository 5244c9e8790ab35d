// SPDX-License-Identifier: GPL-3.0-or-later

/** What zsh completes: a function for each command, by zsh's own _arguments. */

import { type ArgumentEntry, type Entry, MOUNTPOINTS, type OptionEntry, type Values, withParts } from './entry.js';

const MOUNTED = `
# mountpoints, or else directories
_crfs_mounted() {
  local place
  local -a places expl
  sed -nE ${quote(MOUNTPOINTS)} /proc/self/mountinfo | while IFS= read -r place; do
    printf -v place %b $place
    [[ $PREFIX == /* ]] || place=\${place#$PWD/}
    places+=($place)
  done
  _wanted mountpoints expl mountpoint compadd -f -a places || _files -/
}
`;

/** The file for share/zsh/site-functions. */
export function zshCompletion(program: Entry): string {
  const functions = withParts(program).map((entry) => functionOf(entry));
  return `#compdef crfs\n# SPDX-License-Identifier: GPL-3.0-or-later\n${MOUNTED}\n${functions.join('\n')}\n_crfs "$@"\n`;
}

function functionOf(entry: Entry): string {
  const options = entry.options.map(optionSpec);
  if (entry.parts.length === 0) {
    const specs = [...options, ...entry.arguments.map(argumentSpec)];
    return `${nameOf(entry)}() {\n  _arguments -s -S \\\n    ${specs.join(' \\\n    ')}\n}\n`;
  }
  const parts = entry.parts.map(({ words, description }) => `${words.at(-1)}:${description}`);
  const specs = [...options, "'1:command:->command'", "'*::argument:->argument'"];
  return `${nameOf(entry)}() {
  local curcontext=$curcontext context state state_descr line
  typeset -A opt_args
  local -a commands=(
    ${parts.map(quote).join('\n    ')}
  )
  _arguments -C -S \\
    ${specs.join(' \\\n    ')}
  case $state in
  command) _describe command commands ;;
  argument)
    case $line[1] in
${entry.parts.map((part) => `    ${part.words.at(-1)}) ${nameOf(part)} ;;`).join('\n')}
    esac
    ;;
  esac
}
`;
}

function nameOf({ words }: Entry): string {
  return `_${words.join('_')}`;
}

/** An option is offered as often as it may make sense: zsh cannot know which may be given again. */
function optionSpec({ flags, description, values }: OptionEntry): string {
  const says = `[${description.replace(/[\][\\:]/g, '\\$&')}]`;
  const takes = values === undefined ? '' : `:value:${action(values)}`;
  return flags
    .map((flag) => quote(`*${flag}${values !== undefined && flag.startsWith('--') ? '=' : ''}${says}${takes}`))
    .join(' ');
}

function argumentSpec({ term, values, variadic }: ArgumentEntry, place: number): string {
  return quote(`${variadic ? '*' : place + 1}:${term}:${action(values)}`);
}

function action(values: Values): string {
  if (values === 'file') return '_files';
  if (values === 'directory') return '_files -/';
  if (values === 'mounted') return '_crfs_mounted';
  return `(${values === 'other' ? '' : values.join(' ')})`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
