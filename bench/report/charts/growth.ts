// SPDX-License-Identifier: GPL-3.0-or-later

import type { Sample } from '../../samples.js';
import type { ChartSpec } from '../charts.js';
import { emphasis } from './style.js';

/** The daemon's memory from one round of reading to the next. */
export function growthChart(rows: readonly Sample[]): ChartSpec[] {
  const values = rows
    .filter(({ metric }) => metric === 'memory after a round of reading')
    .map(({ value }, n) => ({ round: n + 1, value }));
  if (values.length === 0) return [];
  const spec = {
    width: 420,
    height: 200,
    data: { values },
    mark: { type: 'line', point: { filled: true, size: 45 }, color: emphasis.ours },
    encoding: {
      x: { field: 'round', type: 'ordinal', title: 'rounds of reading 1.1 GB from 16 layers', axis: { labelAngle: 0 } },
      y: { field: 'value', type: 'quantitative', title: 'MB resident', scale: { zero: true } },
    },
  };
  return [{ id: 'memory', workload: 6, title: "The daemon's memory, workers included", spec }];
}
