// SPDX-License-Identifier: GPL-3.0-or-later

import type { Samples, Summary } from '../samples.js';
import { barCharts } from './charts/bars.js';
import { growthChart } from './charts/growth.js';
import { readerCharts } from './charts/readers.js';
import { draw, type Spec } from './charts/style.js';

/** One chart to draw. */
export interface ChartSpec {
  /** Part of its file's name. */
  readonly id: string;
  readonly title: string;
  readonly workload: number;
  readonly spec: Spec;
}

export interface DrawnChart extends Omit<ChartSpec, 'spec'> {
  readonly svg: string;
}

/** Draws what was measured; a chart whose workload did not run is left out. */
export async function drawCharts(samples: Samples): Promise<DrawnChart[]> {
  const summaries: Summary[] = samples.summaries();
  const specs = [...barCharts(summaries), ...readerCharts(summaries), ...growthChart(samples.rows)];
  const drawn: DrawnChart[] = [];
  for (const { spec, ...chart } of specs) drawn.push({ ...chart, svg: await draw(chart.title, spec) });
  return drawn;
}
