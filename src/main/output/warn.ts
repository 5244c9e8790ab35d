// SPDX-License-Identifier: GPL-3.0-or-later

import { escapeLine } from './terminal.js';

/** Tells of what a person has to know even where everything else is quiet. */
export function warn(line: string): void {
  process.stderr.write(`crfs: warning: ${escapeLine(line)}\n`);
}
