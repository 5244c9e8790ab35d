// SPDX-License-Identifier: GPL-3.0-or-later

/** How charts look, and how they become SVG. */

import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { extracted, product } from '../../machines/contenders.js';

/** A Vega-Lite chart, without what all of them share. */
export type Spec = object;

const ours = '#0b7285';
const floor = '#adb5bd';
const others = ['#e8590c', '#5f3dc4', '#2b8a3e', '#c2255c', '#f08c00'];
const ink = '#212529';
const faint = '#868e96';

/** A colour scale on which the product and the floor always look the same. */
export function colours(contenders: readonly string[]): { domain: string[]; range: string[] } {
  const domain = [...new Set(contenders)];
  const strangers = domain.filter(
    (name) => !name.startsWith('crfs') && !name.startsWith('libdeflate') && name !== extracted.name,
  );
  const range = domain.map((name) => {
    if (name === product.name || name.startsWith('crfs')) return ours;
    if (name === extracted.name || name.startsWith('libdeflate')) return floor;
    return others[strangers.indexOf(name) % others.length] ?? ink;
  });
  return { domain, range };
}

export const emphasis = { ours, faint };

/** Draws a chart as SVG. */
export async function draw(title: string, spec: Spec): Promise<string> {
  const { spec: vega } = compile({
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    padding: 18,
    title: { text: title, anchor: 'start', fontSize: 15, fontWeight: 600, offset: 14, color: ink },
    config: {
      font: 'Helvetica, Arial, sans-serif',
      view: { stroke: null },
      axis: {
        labelFontSize: 12,
        titleFontSize: 12,
        titleFontWeight: 'normal',
        labelColor: ink,
        titleColor: faint,
        gridColor: '#e9ecef',
        domainColor: '#ced4da',
        tickColor: '#ced4da',
        labelLimit: 0,
      },
      header: { labelFontSize: 13, labelColor: ink, labelFontWeight: 600, titleFontSize: 12, labelAnchor: 'start' },
      legend: { labelFontSize: 12, labelColor: ink, title: null, orient: 'top', symbolType: 'square', labelLimit: 0 },
      text: { font: 'Helvetica, Arial, sans-serif', fontSize: 11, color: ink },
      line: { strokeWidth: 2.5 },
    },
    ...spec,
  } as TopLevelSpec);
  return await new View(parse(vega), { renderer: 'none' }).toSVG();
}
