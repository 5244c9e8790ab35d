// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../bench.js';
import { say } from '../say.js';
import type { Settings } from '../settings.js';
import { drawCharts } from './charts.js';
import { evaluate } from './goals.js';
import { goalsTable, markdown } from './markdown.js';

/** Writes everything that was measured into a directory: `<date>.json`, `<date>.md` and charts. Shows the goals. */
export async function report(bench: Bench, settings: Settings, directory: string): Promise<void> {
  const { samples, failures } = bench;
  const goals = evaluate(samples);
  const name = (settings['date'] ?? '').slice(0, 16).replace(':', '');
  mkdirSync(directory, { recursive: true });
  const write = (file: string, text: string): void => writeFileSync(join(directory, file), text);
  write(
    `${name}.json`,
    `${JSON.stringify({ settings, goals, failures, summaries: samples.summaries(), samples: samples.rows }, null, 1)}\n`,
  );
  const charts = [];
  for (const { svg, id, ...chart } of await drawCharts(samples)) {
    const file = `${name}-${id}.svg`;
    write(file, svg);
    charts.push({ ...chart, file });
  }
  write(`${name}.md`, markdown(samples, goals, charts, failures, settings));
  say(`\n${goalsTable(goals)}\n`);
  for (const failure of failures) say(`failed: ${failure}`);
  say(`written: ${join(directory, name)}.json, .md and ${charts.length} charts`);
}
