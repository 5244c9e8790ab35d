// SPDX-License-Identifier: GPL-3.0-or-later

/** The results as Markdown: goals, a table per workload, charts, settings. */

import { howText, ratioText, valueText } from '../format.js';
import type { Question, Samples, Summary } from '../samples.js';
import type { Settings } from '../settings.js';
import { workloads } from '../workloads/workloads.js';
import type { Goal } from './goal.js';
import { markdownTable } from './table.js';

export interface Chart {
  readonly title: string;
  /** Name of the SVG file, beside the Markdown. */
  readonly file: string;
  readonly workload: number;
}

const HOW_TO_READ =
  'Bars and numbers are medians; the thin line across a bar goes from the least to the greatest of what was measured. Bars whose ' +
  'lines overlap are not told apart.';

export function markdown(
  samples: Samples,
  goals: readonly Goal[],
  charts: readonly Chart[],
  failures: readonly string[],
  settings: Settings,
  worse: string | undefined,
): string {
  const sections = [`# Benchmark of ${(settings['date'] ?? '').slice(0, 10)}`, goalsTable(goals)];
  const summaries = samples.summaries();
  for (const [number, { title }] of Object.entries(workloads)) {
    const rows = summaries.filter(({ workload }) => workload === Number(number));
    if (rows.length === 0) continue;
    sections.push(`## ${number}. ${title}`);
    if (charts.some(({ workload }) => workload === Number(number))) sections.push(HOW_TO_READ);
    for (const { title: name, file, workload } of charts) {
      if (workload === Number(number)) sections.push(`![${name}](${file})`);
    }
    sections.push(table(rows));
  }
  if (failures.length > 0) sections.push('## What failed', failures.map((failure) => `- ${failure}`).join('\n'));
  if (worse !== undefined) sections.push('## Next to an earlier run', worse);
  sections.push('## Settings', markdownTable(['', ''], Object.entries(settings)));
  return `${sections.join('\n\n')}\n`;
}

export function goalsTable(goals: readonly Goal[]): string {
  const rows = goals.map((goal) => [goal.what, goal.goal, goal.measured ?? '', verdict(goal)]);
  return markdownTable(['what', 'goal', 'measured', 'met'], rows);
}

function verdict({ met }: Goal): string {
  if (met === undefined) return 'not measured';
  return met ? 'yes' : '**no**';
}

/** A line per question; who answers it, in columns: the median, and its ratio to the first column that has one. */
function table(rows: readonly Summary[]): string {
  const contenders = [...new Set(rows.map(({ contender }) => contender))];
  const questions = new Map<string, Summary[]>();
  for (const row of rows) {
    const key = describe(row).join('\0');
    questions.set(key, [...(questions.get(key) ?? []), row]);
  }
  const lines = [...questions.values()].map((answers) => {
    const [base] = contenders.flatMap((name) => answers.find(({ contender }) => contender === name) ?? []);
    const cells = contenders.map((name) =>
      cell(
        answers.find(({ contender }) => contender === name),
        base,
      ),
    );
    return [...describe(base as Summary), ...cells];
  });
  return markdownTable(['what', 'how', 'of it', 'unit', ...contenders], lines);
}

function describe(question: Question): string[] {
  const { what, metric, unit } = question;
  return [what, howText(question), metric, unit];
}

function cell(answer: Summary | undefined, base: Summary | undefined): string {
  if (answer === undefined) return '';
  const value = valueText(answer.median, answer.unit);
  if (base === undefined || answer === base || base.median === 0) return value;
  return `${value} (${ratioText(answer.median, base.median)})`;
}
