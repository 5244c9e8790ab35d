// SPDX-License-Identifier: GPL-3.0-or-later

/** Bars: how long things take, next to each other. */

import { numberText } from '../../format.js';
import { COMPARED_READERS } from '../../plan.js';
import type { Summary } from '../../samples.js';
import type { ChartSpec } from '../charts.js';
import { colours, type Spec } from './style.js';

const STARTS = [
  { id: 'start', workload: 4, title: "From nothing to a program's end" },
  { id: 'podman', workload: 9, title: 'From nothing to the end of podman run' },
  { id: 'layers', workload: 10, title: "From nothing to a program's end" },
  { id: 'service', workload: 11, title: 'From nothing to the first answer of a service' },
] as const;

export function barCharts(summaries: readonly Summary[]): ChartSpec[] {
  const charts: ChartSpec[] = [];
  const add = (id: string, workload: number, title: string, spec: Spec | undefined): void => {
    if (spec) charts.push({ id, workload, title, spec });
  };
  const time = summaries.filter(({ metric }) => metric === 'time');
  const walks = time.filter(({ what }) => what === 'walk, first' || what === 'walk, again');
  add('walk', 1, 'find -ls of a Debian root file system', groups(walks, 'seconds'));
  const reads = time.filter(({ workload }) => workload === 2);
  add('read', 2, 'tar of a Debian root file system, by one reader', groups(reads, 'seconds'));
  const engines = summaries.filter(
    ({ workload, files, metric, contender }) =>
      workload === 3 &&
      files === 'large' &&
      metric === 'throughput' &&
      /^crfs-plugin(, |$)|libdeflate on/.test(contender),
  );
  const tuned = engines.some(({ contender }) => contender.startsWith('crfs-plugin, '));
  const alike = engines.filter(({ readers, layers }) => {
    return readers === undefined || (readers === COMPARED_READERS && layers === 1);
  });
  const each = (tuned ? alike : []).map((row) => ({ ...row, what: row.readers ? row.contender : row.what }));
  add(
    'engines',
    3,
    `Engines and workers: ${COMPARED_READERS} readers of cold 64 MB files, and the limit`,
    groups(each, 'MB/s'),
  );
  for (const { id, workload, title } of STARTS) {
    const rows = time.filter((row) => row.workload === workload);
    for (const link of new Set(rows.flatMap((row) => row.link ?? []))) {
      const name = `${id}-${link.replaceAll(/[^0-9a-z]+/gi, '-').toLowerCase()}`;
      const here = rows.filter((row) => row.link === link);
      add(name, workload, `${title} over a link of ${link}`, groups(inOrder(here), 'seconds'));
    }
  }
  const converted = summaries.filter(({ workload }) => workload === 5);
  add('convert', 5, 'A Debian root file system of 273 MB made a layer', panels(converted));
  return charts;
}

/** Pulls by their tools, then each program's first starts and its second ones. */
function inOrder(rows: readonly Summary[]): Summary[] {
  const pulls = rows.filter(({ what }) => what === 'pull and extract');
  const starts = rows.filter(({ what }) => what !== 'pull and extract');
  const programs = [...new Set(starts.map(program))];
  const rank = (row: Summary): number =>
    programs.indexOf(program(row)) * 8 +
    (row.what.includes('second') ? 4 : 0) +
    (row.what.includes('prioritized') ? 2 : 0) +
    (row.what.includes('learned') ? 1 : 0);
  return [
    ...pulls.map((row) => ({ ...row, what: `pull and extract, ${row.contender}` })),
    ...starts.toSorted((a, b) => rank(a) - rank(b)),
  ];
}

function program({ what }: Summary): string {
  return what.replace(/, learned\b|, prioritized image|, (first|second) start$/g, '');
}

/** A group of bars for each question, one bar for each who answered. */
function groups(rows: readonly Summary[], axis: string, width = 440): Spec | undefined {
  if (rows.length === 0) return undefined;
  const values = rows.map((row) => ({ ...row, label: numberText(row.median) }));
  const names = [...new Set(rows.map(({ contender }) => contender))];
  const whats = [...new Set(rows.map(({ what }) => what))];
  const many = whats.length < rows.length; // several bars in a group
  const offset = many ? { yOffset: { field: 'contender', sort: names } } : {};
  return {
    width,
    height: { step: many ? 18 : 24, for: many ? 'offset' : 'position' },
    data: { values },
    encoding: {
      y: {
        field: 'what',
        type: 'nominal',
        sort: whats,
        title: null,
        axis: { ticks: false, domain: false, labelPadding: 8, labelLimit: 0 },
        scale: { paddingInner: 0.25 },
      },
      ...offset,
    },
    layer: [
      {
        mark: { type: 'bar', cornerRadiusEnd: 2 },
        encoding: {
          x: { field: 'median', type: 'quantitative', title: axis },
          color: {
            field: 'contender',
            type: 'nominal',
            scale: colours(names),
            ...(many || whats.every((what) => !names.includes(what)) ? {} : { legend: null }),
          },
        },
      },
      {
        mark: { type: 'rule', color: '#495057' },
        encoding: { x: { field: 'least', type: 'quantitative' }, x2: { field: 'most' } },
      },
      {
        mark: { type: 'text', align: 'left', dx: 5 },
        encoding: { x: { field: 'most', type: 'quantitative' }, text: { field: 'label' } },
      },
    ],
  };
}

/** What has units of its own stands in a panel of its own. */
function panels(rows: readonly Summary[]): Spec | undefined {
  if (rows.length === 0) return undefined;
  const metrics = [...new Set(rows.map(({ metric }) => metric))];
  return {
    columns: 2,
    spacing: 28,
    concat: metrics.map((metric) => {
      const here = rows.filter((row) => row.metric === metric).map((row) => ({ ...row, what: row.contender }));
      return groups(here, `${metric}, ${here[0]?.unit ?? ''}`, 240);
    }),
  };
}
