// SPDX-License-Identifier: GPL-3.0-or-later

/** storage.conf where podman has none: with it, podman must go on as it did without. */

import { parse } from 'smol-toml';
import type { Podman } from './podman.js';

const FIRST = '# made by crfs setup podman, where there was none\n';
const MADE = /^storage\.(driver|runroot|graphroot|options\.overlay\.mount_program)$/;

/** Says what podman does by itself: a file hides all that it would find out otherwise. */
export function freshConf({ rootless, graphRoot, runRoot, mountProgram }: Podman): string {
  const roots = rootless ? '' : `runroot = ${JSON.stringify(runRoot)}\ngraphroot = ${JSON.stringify(graphRoot)}\n`;
  const program =
    mountProgram === undefined ? '' : `[storage.options.overlay]\nmount_program = ${JSON.stringify(mountProgram)}\n`;
  return `${FIRST}[storage]\ndriver = "overlay"\n${roots}${program}`;
}

/** Whether a file, once the store was taken out of it, says nothing but what freshConf has put there. */
export function isFresh(text: string): boolean {
  return text.startsWith(FIRST) && keysOf(parse(text)).every((key) => MADE.test(key));
}

function keysOf(table: object, before = ''): string[] {
  return Object.entries(table).flatMap(([name, value]: [string, unknown]) =>
    typeof value === 'object' && value !== null ? keysOf(value, `${before}${name}.`) : [`${before}${name}`],
  );
}
