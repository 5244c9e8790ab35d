// SPDX-License-Identifier: GPL-3.0-or-later
import type { Samples } from '../samples.js';
export interface Drawn {
  readonly id: string;
  readonly title: string;
  readonly workload: number;
  readonly svg: string;
}
export async function drawCharts(_samples: Samples): Promise<Drawn[]> {
  return [];
}
