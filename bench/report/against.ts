// SPDX-License-Identifier: GPL-3.0-or-later

/** What has become slower, or larger, than an earlier run has found it. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { howText, ratioText, valueText } from '../format.js';
import type { Question, Summary } from '../samples.js';
import type { Settings } from '../settings.js';
import { markdownTable } from './table.js';

/** How much less or more counts, where all that was measured lies on one side of all that was measured before. */
const SHARE = 0.1;

/** What an earlier run has measured. */
export interface Earlier {
  readonly file: string;
  readonly settings: Settings;
  readonly summaries: readonly Summary[];
}

/** Reads a file of results. Throws if it is none. */
export function readEarlier(file: string): Earlier {
  const { settings, summaries } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Earlier>;
  if (settings === undefined || summaries === undefined) throw new Error(`${file}: no results of the benchmark`);
  return { file, settings, summaries };
}

/** The newest results in a directory that were made by the plan of the same name; undefined: there are none. */
export function newestLike({ plan }: Settings, directory: string): Earlier | undefined {
  const names = existsSync(directory) ? readdirSync(directory) : [];
  const files = names.filter((name) => name.endsWith('.json')).toSorted();
  return files
    .toReversed()
    .map((name) => readEarlier(join(directory, name)))
    .find(({ settings }) => settings['plan']?.split(',')[0] === plan?.split(',')[0]);
}

/** Says what has become worse than its spread then and now: as Markdown. */
export function worseThan({ file, settings, summaries }: Earlier, now: readonly Summary[]): string {
  const before = new Map(summaries.map((row) => [key(row), row]));
  const both = now.flatMap((row) => {
    const earlier = before.get(key(row));
    return earlier === undefined ? [] : [{ row, earlier }];
  });
  const worse = both.filter(({ row, earlier }) => isWorse(row, earlier));
  const about = `${basename(file)} (${settings['crfs-plugin'] ?? 'unknown'}, ${(settings['date'] ?? '').slice(0, 16)})`;
  if (worse.length === 0) return `Of ${both.length} measurements that ${about} has as well, none has become worse.`;
  const lines = worse.map(({ row, earlier }) => [
    row.what,
    howText(row),
    row.metric,
    row.contender,
    `${valueText(earlier.median, earlier.unit)} ${earlier.unit}`,
    `${valueText(row.median, row.unit)} ${row.unit}`,
    ratioText(row.median, earlier.median),
  ]);
  const header = ['what', 'how', 'of it', 'by', 'before', 'now', 'times'];
  const said = `Of ${both.length} measurements that ${about} has as well, ${worse.length} have become worse than their spread:`;
  return `${said}\n\n${markdownTable(header, lines)}`;
}

/** Rates are the better the higher they are, all else the lower. */
function isWorse(now: Summary, earlier: Summary): boolean {
  if (now.unit === 'MB/s') return now.most < earlier.least && now.median < earlier.median * (1 - SHARE);
  return now.least > earlier.most && now.median > earlier.median * (1 + SHARE);
}

function key({
  workload,
  what,
  metric,
  unit,
  readers,
  files,
  layers,
  link,
  contender,
}: Question & { contender: string }): string {
  return JSON.stringify([workload, what, metric, unit, readers, files, layers, link, contender]);
}
