// SPDX-License-Identifier: GPL-3.0-or-later

/** What fish completes. */

import { type Entry, MOUNTPOINTS, type OptionEntry, type Values, withParts } from './entry.js';

/** The file for share/fish/vendor_completions.d. */
export function fishCompletion(program: Entry): string {
  const all = withParts(program);
  const parts = all.slice(1).map(({ words }) => quote(words.slice(1).join(' ')));
  return `# SPDX-License-Identifier: GPL-3.0-or-later
# completions of crfs for fish

# whether the command line, up to the cursor, is about this command
function __crfs_at --argument-names wanted
    set -l at
    for token in (commandline -opc)[2..-1]
        if contains -- (string join -- ' ' $at $token) ${parts.join(' ')}
            set -a at $token
        else if not string match -q -- '-*' $token
            break
        end
    end
    test "$at" = "$wanted"
end

# the mountpoints that begin with what was written, or else the directories
function __crfs_mounted
    set -l written (commandline -ct)
    set -l places
    for place in (sed -nE ${quote(MOUNTPOINTS)} /proc/self/mountinfo)
        set place (printf %b $place)
        string match -q -- '/*' $written; or set place (string replace -r -- '^'(string escape --style=regex -- $PWD/) '' $place)
        string match -qr -- '^'(string escape --style=regex -- $written) $place; and set -a places $place
    end
    set -q places[1]; and printf '%s\\n' $places; or __fish_complete_directories
end

complete -c crfs -f
${all.flatMap(linesOf).join('\n')}
`;
}

function linesOf(entry: Entry): string[] {
  const command = `complete -c crfs -n ${quote(`__crfs_at ${quote(entry.words.slice(1).join(' '))}`)}`;
  const parts = entry.parts.map(({ words, description }) => `-a ${quote(words.at(-1) ?? '')} -d ${quote(description)}`);
  const options = entry.options.map(optionOf);
  return [...parts, ...options, ...argumentsOf(entry)].map((line) => `${command} ${line}`);
}

function optionOf({ flags, description, values }: OptionEntry): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  return [...names, ...(values === undefined ? [] : [`-r ${offer(values)}`]), `-d ${quote(description)}`].join(' ');
}

/** fish offers the same at all places of arguments. */
function argumentsOf({ arguments: own, parts }: Entry): string[] {
  const all = own.map(({ values }) => values);
  if (parts.length > 0) return [];
  if (all.includes('file')) return ['-F'];
  return all.filter((values) => values !== 'other').map(offer);
}

function offer(values: Values): string {
  if (values === 'file') return '-F';
  if (values === 'directory') return "-f -a '(__fish_complete_directories)'";
  if (values === 'mounted') return "-f -a '(__crfs_mounted)'";
  return values === 'other' ? '-f' : `-f -a ${quote(values.join(' '))}`;
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
