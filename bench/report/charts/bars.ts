// SPDX-License-Identifier: GPL-3.0-or-later

/** Bars: how long things take, next to each other. */

import { shown } from '../../bench.js';
import type { Summary } from '../../samples.js';
import type { ChartSpec } from '../charts.js';
import { colours, type Spec } from './style.js';

type Row = Summary & { readonly label: string };

/** One bar per row of a group, groups below each other. */
function grouped(rows: readonly Summary[], axis: string): Spec {
  const values: Row[] = rows.map((row) => ({ ...row, label: shown(row.median) }));
  const names = [...new Set(values.map(({ contender }) => contender))];
  return {
    data: { values },
    facet: { row: { field: 'what', type: 'nominal', sort: null, title: null, header: sideHeader } },
    spec: {
      width: 420,
      height: { step: 20 },
      layer: [
        { mark: { type: 'bar', cornerRadiusEnd: 2, height: 15 }, encoding: { x: { field: 'median' } } },
        {
          mark: { type: 'rule', color: '#495057' },
          encoding: { x: { field: 'least' }, x2: { field: 'most' }, color: {} },
        },
        {
          mark: { type: 'text', align: 'left', dx: 5 },
          encoding: { x: { field: 'most' }, text: { field: 'label' }, color: { value: '#212529' } },
        },
      ],
      encoding: {
        y: { field: 'contender', type: 'nominal', sort: names, axis: null },
        x: { type: 'quantitative', title: axis },
        color: { field: 'contender', type: 'nominal', scale: colours(names) },
      },
    },
    spacing: 8,
  };
}

const sideHeader = {
  labelAngle: 0,
  labelAlign: 'left',
  labelAnchor: 'middle',
  labelFontWeight: 'normal',
  labelLimit: 260,
};

export function barCharts(summaries: readonly Summary[]): ChartSpec[] {
  const time = summaries.filter(({ metric }) => metric === 'time');
  const charts: ChartSpec[] = [];
  const add = (id: string, workload: number, title: string, rows: readonly Summary[], axis = 'seconds'): void => {
    if (rows.length > 0) charts.push({ id, workload, title, spec: grouped(rows, axis) });
  };
  const walks = time.filter(({ what }) => what === 'walk, first' || what === 'walk, again');
  add('walk', 1, 'find -ls over a Debian root file system', walks);
  const reads = time.filter(({ workload }) => workload === 2);
  add('read', 2, 'tar of a Debian root file system, one reader', reads);
  const settings = summaries.filter(
    ({ workload, metric, contender }) =>
      workload === 3 && metric === 'throughput' && /^crfs-plugin, (?!no )|libdeflate on/.test(contender),
  );
  const bySize = settings.map((row) => ({ ...row, what: `${row.files} files` }));
  add('engines', 3, 'Engines and workers: 8 readers of one cold layer, and the limit', bySize, 'MB/s');
  for (const link of new Set(time.flatMap(({ link: name }) => name ?? []))) {
    const starts = time.filter((row) => row.link === link);
    const id = `start-${link.replaceAll(/[^0-9a-z]+/gi, '-').toLowerCase()}`;
    add(id, 4, `Starts over a link of ${link}, and pulling everything first`, starts);
  }
  const converts = summaries
    .filter(({ workload }) => workload === 5)
    .map((row) => ({ ...row, what: `${row.metric}, ${row.unit}` }));
  add('convert', 5, 'A Debian root file system of 273 MB made a layer', converts, '');
  return charts;
}
