// SPDX-License-Identifier: GPL-3.0-or-later

/** The part of docs/performance.md that results make. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../settings.js';
import type { Goal } from './goal.js';
import { goalsTable } from './markdown.js';

const BEGIN = '<!-- made by npm run docs, of the newest results of a whole run -->\n';
const END = '<!-- end -->\n';
/** Charts that are shown, by the ends of their files' names. */
const SHOWN = /-(start|service|layers|podman|read)(-[^/]*)?\.svg$/;

interface Results {
  readonly settings: Settings;
  readonly goals: readonly Goal[];
}

/** Puts the goals and charts of the newest full results in `directory`, named so in the page, where the page has them. */
export function withResults(page: string, directory: string, named: string): string {
  const [before = '', rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  const names = readdirSync(directory).toSorted();
  for (const file of names.filter((name) => name.endsWith('.json')).toReversed()) {
    const { settings, goals } = JSON.parse(readFileSync(join(directory, file), 'utf8')) as Results;
    if (after === undefined || !settings['plan']?.startsWith('full')) continue;
    const name = file.slice(0, -'.json'.length);
    const measured = goals.filter((goal) => goal.measured !== undefined);
    const charts = names.filter((chart) => chart.startsWith(`${name}-`) && SHOWN.test(chart));
    const said = `Version ${settings['crfs-plugin']}, on ${settings['cores']} cores of an ${settings['processor']}, Linux ${settings['kernel']}, fuse-overlayfs ${settings['fuse-overlayfs']}; all that was measured is in [${name}.md](${named}/${name}.md).`;
    const shown = charts.map((chart) => `![${chart.slice(name.length + 1, -'.svg'.length)}](${named}/${chart})`);
    return [before, BEGIN, '\n', [goalsTable(measured), said, ...shown].join('\n\n'), '\n\n', END, after].join('');
  }
  return page;
}
