// SPDX-License-Identifier: GPL-3.0-or-later

import { nameOf } from '../http/failure.js';

/** What has been tried with something that is named: what is said of it tells as much. */
const TRIED = /^(?:cannot read|[A-Z]+) $/;

/**
 * A message about a configuration, for whoever has just been told which: without its name, where the message begins by
 * that, or by what could not be done with it.
 */
export function withoutName(message: string, configuration: string): string {
  for (const name of [configuration, ...(URL.canParse(configuration) ? [nameOf(new URL(configuration))] : [])]) {
    const [before, rest] = cut(message, `${name}: `);
    if (rest === undefined) continue;
    if (before === '' || TRIED.test(before)) return rest;
    if (before.endsWith(' of ')) return `${before.slice(0, -' of '.length)}: ${rest}`;
  }
  return message;
}

/** What stands before `mark`, where it occurs for the first time, and what behind it, if it occurs. */
function cut(text: string, mark: string): [before: string, rest?: string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + mark.length)];
}
