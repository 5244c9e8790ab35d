// SPDX-License-Identifier: GPL-3.0-or-later

import { scaleLinear } from 'd3-scale';
import { area, curveStepAfter, line } from 'd3-shape';
import { formatBytes } from '../output/text.js';
import { type Html, html } from './html.js';
import type { StartRecord } from './record.js';

const TICKS = 5;
const SECONDS_FROM = 10_000;
const WIDTH = 1000;
const HEIGHT = 100;

/** Where a time is across the page, in percent from the left. */
export interface Axis {
  readonly end: number;
  place(ms: number): number;
  /** Grid lines, each with its time. */
  readonly ticks: readonly { readonly left: number; readonly label: string }[];
}

/** Of the times from 0 to `end`, in ms. */
export function axisTo(end: number): Axis {
  const scale = scaleLinear()
    .domain([0, Math.max(end, 1)])
    .range([0, 100])
    .clamp(true);
  const place = (ms: number): number => Math.round(scale(ms) * 1000) / 1000;
  const label = (ms: number): string => (end >= SECONDS_FROM ? `${ms / 1000} s` : `${ms} ms`);
  return {
    end: Math.max(end, 1),
    place,
    ticks: scale.ticks(TICKS).map((ms) => ({ left: place(ms), label: label(ms) })),
  };
}

/** Milliseconds for a person: 12.3 ms */
export function formatMs(ms: number): string {
  return ms >= SECONDS_FROM ? `${(ms / 1000).toFixed(1)} s` : `${ms.toFixed(1)} ms`;
}

type Point = readonly [ms: number, bytes: number];

/** How many bytes had come, and how many had been asked for, at each time. */
export function bytesChart({ reads, requests }: StartRecord, axis: Axis): Html {
  const came = summed(requests.map(({ at, ms, bytes }) => [at + ms, bytes]));
  const asked = summed(reads.map(({ at, bytes }) => [at, bytes]));
  const within = ([ms]: Point): boolean => ms <= axis.end;
  const most = Math.max(1, ...[...came.filter(within), ...asked.filter(within)].map(([, bytes]) => bytes));
  const y = scaleLinear().domain([0, most]).range([HEIGHT, 0]);
  const x = ([ms]: Point): number => (axis.place(ms) * WIDTH) / 100;
  const whole = (points: readonly Point[]): Point[] => {
    const seen = points.filter(within);
    return [[0, 0], ...seen, [axis.end, seen.at(-1)?.[1] ?? 0]];
  };
  const height = ([, bytes]: Point): number => y(bytes);
  const surface = area<Point>().x(x).y0(HEIGHT).y1(height).curve(curveStepAfter).digits(1);
  const stroke = line<Point>().x(x).y(height).curve(curveStepAfter).digits(1);
  const label = `up to ${formatBytes(most)}: what had come, and what had been asked for`;
  return html`<figure class="bytes"><figcaption>Bytes of the layers, up to ${formatBytes(most)}: <b class="came">came over the network</b> (as requests end), <b class="asked">had been asked for</b></figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${label}"><path class="came" d="${surface(whole(came)) ?? ''}"/><path class="asked" d="${stroke(whole(asked)) ?? ''}"/></svg>
${scaleOf(axis)}</figure>`;
}

/** The times, to stand above or below what is drawn by them. */
export function scaleOf({ ticks }: Axis): Html {
  return html`<span class="scale" aria-hidden="true">${ticks.map(({ left, label }) => html`<span class="${left > 90 ? 'last' : ''}" style="left:${left}%">${label}</span>`)}</span>`;
}

function summed(points: readonly Point[]): Point[] {
  let sum = 0;
  return points
    .toSorted((a, b) => a[0] - b[0])
    .map(([ms, bytes]) => {
      sum += bytes;
      return [ms, sum];
    });
}
