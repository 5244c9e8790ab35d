// SPDX-License-Identifier: GPL-3.0-or-later

/** The recipes of docs/fleets.md, as tests run them: as they are written there, with other places. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { top } from './machine.js';

/** The only block of this language, with each of these names replaced by its value. Throws where one is not there. */
export function recipe(language: string, values: Readonly<Record<string, string>>): string {
  const [, block, ...more] = readFileSync(join(top, 'docs/fleets.md'), 'utf8').split(`\n\`\`\`${language}\n`);
  const end = block?.indexOf('\n```') ?? -1;
  if (block === undefined || end < 0 || more.length > 0) throw new Error(`fleets.md has not one block of ${language}`);
  return Object.entries(values).reduce(
    (text, [name, value]) => {
      if (!text.includes(name)) throw new Error(`there is no ${JSON.stringify(name)} in:\n${text}`);
      return text.replaceAll(name, value);
    },
    block.slice(0, end + 1),
  );
}
