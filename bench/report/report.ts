// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Bench } from '../bench.js';
import { say } from '../say.js';
import type { Settings } from '../settings.js';
import { type Earlier, worseThan } from './against.js';
import { drawCharts } from './charts.js';
import { evaluate } from './goals.js';
import { goalsTable, markdown } from './markdown.js';

/** Writes everything that was measured so far into a directory, as `<date>.json`. Returns its path without `.json`. */
export function writeMeasured({ samples, failures }: Bench, settings: Settings, directory: string): string {
  const name = join(directory, (settings['date'] ?? '').slice(0, 16).replace(':', ''));
  const goals = evaluate(samples);
  const all = { settings, goals, failures, summaries: samples.summaries(), samples: samples.rows };
  mkdirSync(directory, { recursive: true });
  writeFileSync(`${name}.json`, `${JSON.stringify(all, null, 1)}\n`);
  return name;
}

/**
 * Writes everything that was measured into a directory: `<date>.json`, `<date>.md` and charts. Shows the goals, and what has
 * become worse than an earlier run found it.
 */
export async function report(
  bench: Bench,
  settings: Settings,
  directory: string,
  earlier: Earlier | undefined,
): Promise<void> {
  const { samples, failures } = bench;
  const goals = evaluate(samples);
  const name = writeMeasured(bench, settings, directory);
  const charts = [];
  for (const { svg, id, ...chart } of await drawCharts(samples)) {
    writeFileSync(`${name}-${id}.svg`, svg);
    charts.push({ ...chart, file: `${basename(name)}-${id}.svg` });
  }
  const worse = earlier === undefined ? undefined : worseThan(earlier, samples.summaries());
  writeFileSync(`${name}.md`, markdown(samples, goals, charts, failures, settings, worse));
  say(`\n${goalsTable(goals)}\n`);
  if (worse !== undefined) say(`${worse}\n`);
  for (const failure of failures) say(`failed: ${failure}`);
  say(`written: ${name}.json, .md and ${charts.length} charts`);
}
