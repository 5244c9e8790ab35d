// SPDX-License-Identifier: GPL-3.0-or-later

/** Lines over the number of readers: throughput, and the time to the first byte. */

import type { Summary } from '../../samples.js';
import type { ChartSpec } from '../charts.js';
import { colours, emphasis, type Spec } from './style.js';

export function readerCharts(summaries: readonly Summary[]): ChartSpec[] {
  const rows = summaries.filter(
    ({ workload, readers, contender }) =>
      workload === 3 && readers !== undefined && !contender.startsWith('crfs-plugin,'),
  );
  if (rows.length === 0) return [];
  const limits = summaries.filter(({ what }) => what === 'inflate all members in memory');
  const charts: ChartSpec[] = [];
  for (const files of ['small', 'large'] as const) {
    const size = files === 'small' ? '4 KB' : '64 MB';
    const here = rows.filter((row) => row.files === files);
    const throughput = here.filter(({ metric }) => metric === 'throughput');
    const limit = limits.filter((row) => row.files === files).map(({ median }) => ({ median }));
    charts.push({
      id: `throughput-${files}`,
      workload: 3,
      title: `Parallel reads of cold ${size} files: throughput`,
      spec: panels(throughput, 'MB/s', 'linear', files === 'large' ? limit : []),
    });
    const latency = here.filter(({ metric }) => metric.startsWith('first byte'));
    charts.push({
      id: `first-byte-${files}`,
      workload: 3,
      title: `Parallel reads of cold ${size} files: open to first byte, median and 99th percentile (dashed)`,
      spec: panels(latency, null, 'log', []),
    });
  }
  return charts;
}

/** A panel for one layer, and one for eight. */
function panels(
  rows: readonly Summary[],
  axis: string | null,
  scale: 'linear' | 'log',
  limit: readonly { readonly median: number }[],
): Spec {
  const names = [...new Set(rows.map(({ contender }) => contender))];
  const panel = (layers: number): object => ({
    width: 280,
    height: 240,
    title: { text: layers === 1 ? 'one layer' : `${layers} layers, ${layers} mounts`, fontSize: 12, anchor: 'start' },
    layer: [
      {
        data: { values: rows.filter((row) => row.layers === layers) },
        mark: { type: 'line', point: { filled: true, size: 45 } },
        encoding: {
          x: { field: 'readers', type: 'ordinal', title: 'readers', axis: { labelAngle: 0 } },
          y: { field: 'median', type: 'quantitative', title: axis, scale: { type: scale }, axis: ticks[scale] },
          color: { field: 'contender', type: 'nominal', scale: colours(names) },
          ...(scale === 'log' ? { strokeDash: dashes } : {}),
        },
      },
      ...(limit.length > 0 ? limitLine(limit) : []),
    ],
  });
  return { hconcat: [panel(1), panel(8)], spacing: 30, resolve: { scale: { y: 'shared' } } };
}

/** Of microseconds: powers of ten, in units that people use. */
const ticks = {
  linear: { tickCount: 6 },
  log: {
    values: [10, 100, 1e3, 1e4, 1e5, 1e6, 1e7],
    labelExpr:
      "datum.value < 1e3 ? datum.value + ' µs' : datum.value < 1e6 ? datum.value / 1e3 + ' ms' : datum.value / 1e6 + ' s'",
  },
} as const;

const dashes = {
  field: 'metric',
  type: 'nominal',
  legend: null,
  scale: { domain: ['first byte, p50', 'first byte, p99'], range: [[], [5, 4]] },
} as const;

function limitLine(values: readonly { readonly median: number }[]): object[] {
  return [
    {
      data: { values },
      mark: { type: 'rule', strokeDash: [4, 4], color: emphasis.faint },
      encoding: { y: { field: 'median', type: 'quantitative' } },
    },
    {
      data: { values },
      mark: { type: 'text', align: 'right', dy: 9, x: 'width', color: emphasis.faint },
      encoding: { y: { field: 'median', type: 'quantitative' }, text: { value: 'libdeflate alone, all cores' } },
    },
  ];
}
