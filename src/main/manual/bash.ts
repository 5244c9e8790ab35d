// SPDX-License-Identifier: GPL-3.0-or-later

/** What bash completes: a function that needs nothing but bash 4. */

import { type Entry, MOUNTPOINTS, type Values, withParts } from './entry.js';

const HEAD = `# SPDX-License-Identifier: GPL-3.0-or-later
# completions of crfs for bash
`;

const TAIL = `
# Sets COMPREPLY to the mountpoints that begin with what was written, or else the directories.
_crfs_mounted() {
  local place
  while IFS= read -r place; do
    printf -v place %b "$place"
    [[ $1 == /* ]] || place=\${place#"$PWD"/}
    [[ $place != "$1"* ]] || COMPREPLY+=("$place")
  done < <(sed -nE ${quote(MOUNTPOINTS)} /proc/self/mountinfo)
  [[ \${COMPREPLY[*]} ]] || mapfile -t COMPREPLY < <(compgen -d -- "$1")
}

# Sets COMPREPLY to those of the words, or the files or directories, that begin with what was written.
_crfs_reply() {
  case $1 in
  :mounted) _crfs_mounted "$2" ;;
  :file) mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
  :directory) mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
  *) mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2") ;;
  esac
  [[ $1 != :* ]] || compopt -o filenames 2>/dev/null
}

_crfs() {
  local -a words=()
  local command=crfs word current=\${COMP_WORDS[COMP_CWORD]} glue=1 place=0 option= ended= i
  # bash splits words at : and =, which are parts of names here
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $glue || $word =~ ^[:=]+$ ]]; then
      words[\${#words[@]} > 0 ? \${#words[@]} - 1 : 0]+=$word
    else
      words+=("$word")
    fi
    if [[ $word =~ ^[:=]+$ ]]; then glue=1; else glue=; fi
  done
  local last=\${words[-1]}
  for word in "\${words[@]:1:\${#words[@]}-2}"; do
    if [[ $option ]]; then
      option=
    elif [[ ! $ended && $word == -?* ]]; then
      if [[ $word == -- ]]; then
        ended=1
      elif [[ $word != *=* ]] && _crfs_values "$command $word"; then
        option=$word
      fi
    elif [[ $place == 0 ]] && _crfs_options "$command $word"; then
      command+=" $word"
    else
      place=$((place + 1))
    fi
  done
  COMPREPLY=()
  if [[ $option ]]; then
    _crfs_values "$command $option" && _crfs_reply "$REPLY" "$last"
  elif [[ ! $ended && $last == --*=* ]]; then
    _crfs_values "$command \${last%%=*}" && _crfs_reply "$REPLY" "\${last#*=}"
  elif [[ ! $ended && $last == -* ]]; then
    _crfs_options "$command" && _crfs_reply "$REPLY" "$last"
  else
    _crfs_arguments "$command" "$place" && _crfs_reply "$REPLY" "$last"
  fi
  # what stands before the : or = stays
  [[ $current =~ ^[:=]+$ ]] && current=
  COMPREPLY=("\${COMPREPLY[@]#"\${last%"$current"}"}")
}

complete -F _crfs crfs
`;

/** The file for share/bash-completion/completions. */
export function bashCompletion(program: Entry): string {
  const all = withParts(program);
  const options = all.map(({ words, options: own }) =>
    row(
      [words.join(' ')],
      own.flatMap(({ flags }) => flags),
    ),
  );
  const values = all.flatMap(({ words, options: own }) =>
    own.flatMap(({ flags, values: its }) =>
      its
        ? [
            row(
              flags.map((flag) => [...words, flag].join(' ')),
              its,
            ),
          ]
        : [],
    ),
  );
  return [
    HEAD,
    switchOf('_crfs_options', 'the options of a command; fails if there is no such command', '"$1"', options),
    switchOf('_crfs_values', 'what an option of a command takes; fails if it takes nothing', '"$1"', values),
    switchOf('_crfs_arguments', 'what stands at a place behind a command', '"$1 $2"', all.flatMap(argumentRows)),
    TAIL,
  ].join('\n');
}

function argumentRows({ words, arguments: own, parts }: Entry): string[] {
  const name = words.join(' ');
  if (parts.length > 0)
    return [
      row(
        [`${name} 0`],
        parts.map((part) => part.words.at(-1) ?? ''),
      ),
    ];
  return own.map(({ values, variadic }, place) =>
    variadic ? `  '${name} '*) REPLY=${quote(written(values))} ;;` : row([`${name} ${place}`], values),
  );
}

function switchOf(name: string, what: string, of: string, rows: readonly string[]): string {
  return `# ${what}\n${name}() {\n  case ${of} in\n${rows.join('\n')}\n  *) return 1 ;;\n  esac\n}\n`;
}

function row(keys: readonly string[], values: Values): string {
  return `  ${keys.map(quote).join(' | ')}) REPLY=${quote(written(values))} ;;`;
}

function written(values: Values): string {
  if (values === 'other') return '';
  return typeof values === 'string' ? `:${values}` : values.join(' ');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
