// SPDX-License-Identifier: GPL-3.0-or-later

import type { Purpose } from '../fetch/flown.js';
import { escapeName } from '../output/terminal.js';
import { counted, formatBytes } from '../output/text.js';
import { type Axis, axisTo, bytesChart, formatMs, scaleOf } from './axis.js';
import { type CriticalPath, criticalPath } from './critical.js';
import { Html, html } from './html.js';
import type { StartRecord, StartRequest, StartWait } from './record.js';
import { type Row, rowsOf } from './rows.js';
import { STYLE } from './style.js';

/** What the page says beside what was recorded. */
export interface Said {
  readonly title: string;
  /** Below the title, each with its name. */
  readonly facts: readonly (readonly [name: string, fact: string])[];
  /** What is not known. */
  readonly note?: string;
  /** Nothing is known but what was read, and when. */
  readonly isReadsAlone?: boolean;
}

const PURPOSES: Readonly<Record<Purpose, string>> = {
  toc: 'to know what is in the layer',
  demand: 'for a reader who waited',
  stream: 'for what a reader went on to',
  ahead: 'for what a program was about to load',
  order: 'as an earlier start had read it',
  background: 'the rest of the layer, behind all others',
};

const WAITS_KEY = html`<li><i class="network"></i>waits for the network</li><li><i class="inflate"></i>waits for a worker</li><li><i class="before"></i>its request waits for the first byte</li><li><i class="request"></i>its request brings bytes</li>`;

/** Times up to the last read fill so much of the width. */
const ROOM = 1.02;
/** Who may do what in this page: nobody anything, but to look as it does. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** A page that is complete in itself, of HTML and CSS alone: how a start went, as browsers show how pages load. */
export function startPage(record: StartRecord, { title, facts, note, isReadsAlone = false }: Said): string {
  const path = criticalPath(record);
  const axis = axisTo(path.end * ROOM);
  const rows = rowsOf(record, path);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${escapeName(title)}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<h1>${escapeName(title)}</h1>
<dl>${[...facts, ...countsOf(record, rows)].map(([name, fact]) => html`<dt>${name}</dt><dd>${escapeName(fact)}</dd>`)}</dl>
${note === undefined ? html`` : html`<p class="note">${note}</p>`}
${record.missed > 0 ? html`<p class="note">${counted(record.missed, 'open')} came faster than they could be followed, and are missing here.</p>` : html``}
<main>
${isReadsAlone ? html`` : pathSection(path)}
${record.requests.length > 0 ? bytesChart(record, axis) : html``}
${rowsSection(rows, axis, isReadsAlone)}
${unreadSection(record)}
${requestsSection(record, axis)}
</main>
</body>
</html>
`;
  return page.text;
}

function countsOf({ requests, unreadBytes, layers }: StartRecord, rows: readonly Row[]): [string, string][] {
  const read = rows.reduce((sum, { bytes }) => sum + bytes, 0);
  const came = requests.reduce((sum, { bytes }) => sum + bytes, 0);
  const of = new Set(rows.map(({ layer }) => layer)).size;
  const counts: [string, string][] = [
    [
      'read',
      `${counted(rows.length, 'file')}, ${formatBytes(read)} of the layers, from ${of} of ${counted(layers.length, 'layer')}`,
    ],
  ];
  if (requests.length > 0) {
    const unused = unreadBytes > 0 ? `, of which ${formatBytes(unreadBytes)} were fetched ahead and not read` : '';
    counts.push(['fetched', `${counted(requests.length, 'request')}, ${formatBytes(came)}${unused}`]);
  }
  return counts;
}

function pathSection({ end, opening, network, inflate, programs, waits }: CriticalPath): Html {
  const parts = [
    ['opening', 'finding the image, and opening its layers', opening],
    ['network', 'waiting for the network', network],
    ['inflate', 'waiting for a worker, who inflates and checks', inflate],
    ['programs', 'programs, and reads of what was there', programs],
  ] as const;
  const shown = parts.filter(([, , ms]) => ms > 0);
  return html`<h2>Critical path: ${formatMs(end)} until the last read</h2>
<div class="parts" aria-hidden="true">${shown.map(([name, , ms]) => html`<i class="${name}" style="width:${((100 * ms) / Math.max(end, 1e-9)).toFixed(3)}%"></i>`)}</div>
<ul class="key">${parts.map(([name, what, ms]) => html`<li><i class="${name}"></i>${what}: ${formatMs(ms)}</li>`)}</ul>
<p class="soft">${counted(waits.length, 'wait')}, each of which began when the one before it had ended, back from the last. A file below with a <span class="dot">●</span> has one of them.</p>`;
}

function rowsSection(rows: readonly Row[], axis: Axis, isReadsAlone: boolean): Html {
  return html`<h2>Files</h2>
${isReadsAlone ? html`` : choiceOf(rows)}
<ul class="key"><li><i class="tick"></i>asked for</li>${isReadsAlone ? html`` : WAITS_KEY}</ul>
<div class="head" aria-hidden="true"><span>file</span><span class="number">layer</span><span class="number">bytes</span><span class="number">${isReadsAlone ? '' : 'waited'}</span>${scaleOf(axis)}</div>
${rows.map((row) => rowOf(row, axis, isReadsAlone ? '' : whyOf(row)))}`;
}

function choiceOf(rows: readonly Row[]): Html {
  const waited = rows.filter(({ waits }) => waits.length > 0).length;
  const critical = rows.filter(({ isCritical }) => isCritical).length;
  return html`<fieldset><legend class="soft">Show</legend>
<label><input type="radio" name="show" id="all" checked> all ${rows.length}</label>
<label><input type="radio" name="show" id="waited"> the ${waited} that waited</label>
<label><input type="radio" name="show" id="path"> the ${critical} of the critical path</label></fieldset>`;
}

function rowOf(row: Row, axis: Axis, why: string): Html {
  const { layer, path, at, bytes, waits, requests, isCritical } = row;
  const classes = `row file${waits.length > 0 ? ' waited' : ''}${isCritical ? ' critical' : ''}`;
  const bars = [
    ...requests.flatMap((one) => requestBars(one, axis)),
    ...waits.flatMap((wait) => waitBars(wait, axis)),
    html`<i class="tick" style="left:${axis.place(at)}%"></i>`,
  ];
  return html`<details class="${classes}"><summary>${nameOf(path)}<span class="number layer">${layer + 1}</span><span class="number">${formatBytes(bytes)}</span><span class="number why">${why}</span><span class="bar">${bars}</span></summary>${factsOf(row)}</details>
`;
}

/** In words, for whoever cannot see the bars. */
function factsOf({ layer, path, at, bytes, waits, requests, isCritical }: Row): Html {
  const waited = waits.map(({ at: from, ms, networkMs }) => {
    const network = networkMs > 0 ? `${formatMs(Math.min(ms, networkMs))} of these for the network` : 'for a worker';
    return html` Waited from ${formatMs(from)} on for ${formatMs(ms)}, ${network}.`;
  });
  const brought = requests.map((one) => {
    return html` A request ${PURPOSES[one.purpose]} was sent at ${formatMs(one.at)}, had its first byte ${formatMs(one.firstByteMs)} later, and brought ${formatBytes(one.bytes)} in ${formatMs(one.ms)}.`;
  });
  const critical = isCritical ? ' On the critical path.' : '';
  return html`<p><code><bdi>${escapeName(`/${path}`)}</bdi></code> of layer ${layer + 1}: asked for at ${formatMs(at)}, ${formatBytes(bytes)}.${critical}${waited}${brought}</p>`;
}

function whyOf({ waits, waitedMs, networkMs }: Row): string {
  if (waits.length === 0) return '-';
  return `${networkMs > 0 ? 'fetch' : 'inflate'} ${formatMs(waitedMs)}`;
}

function nameOf(path: string): Html {
  const name = escapeName(`/${path}`);
  const cut = name.lastIndexOf('/') + 1;
  const directory = cut > 1 ? html`<bdi class="in">${name.slice(0, cut)}</bdi>` : html``;
  return html`<span class="name">${directory}<bdi class="last">${cut > 1 ? name.slice(cut) : name}</bdi></span>`;
}

function bar(kind: string, from: number, to: number, axis: Axis): Html[] {
  if (to <= from || from >= axis.end) return [];
  const left = axis.place(from);
  return [html`<i class="${kind}" style="left:${left}%;width:${(axis.place(to) - left).toFixed(3)}%"></i>`];
}

function requestBars({ at, firstByteMs, ms }: StartRequest, axis: Axis): Html[] {
  const first = at + Math.min(ms, firstByteMs);
  return [...bar('line before', at, first, axis), ...bar('line request', first, at + ms, axis)];
}

/** The network comes first: a worker begins when all bytes are there. */
function waitBars({ at, ms, networkMs }: StartWait, axis: Axis): Html[] {
  const here = at + Math.min(ms, networkMs);
  return [...bar('wait network', at, here, axis), ...bar('wait inflate', here, at + ms, axis)];
}

function unreadSection({ unread, unreadFiles, unreadBytes, files, requests }: StartRecord): Html {
  if (requests.length === 0) return html``;
  const rest = requests.filter(({ purpose }) => purpose === 'background').reduce((sum, { bytes }) => sum + bytes, 0);
  const also =
    rest > 0
      ? html` Another ${formatBytes(rest)} came behind all others, to have the rest of the layers here.`
      : html``;
  const shown = unread.map(({ file, bytes, purpose }) => {
    return html`<div>${nameOf(files[file]?.path ?? '')}</div><div class="number">${formatBytes(bytes)}, ${PURPOSES[purpose]}</div>`;
  });
  const more = unreadFiles - unread.length;
  return html`<h2>Fetched, and never used</h2>
<p>${unreadFiles === 0 ? 'Nothing of any file.' : `${formatBytes(unreadBytes)} of ${counted(unreadFiles, 'file')}: neighbours of what was waited for come along where that costs no time.`}${also}</p>
<div class="left">${shown}</div>${more > 0 ? html`<p class="soft">and ${more} more</p>` : html``}`;
}

function requestsSection({ requests }: StartRecord, axis: Axis): Html {
  const during = requests.filter(({ at }) => at < axis.end);
  if (during.length === 0) return html``;
  return html`<h2>Requests</h2>
<p class="soft">${counted(during.length, 'request')} to the registry for bytes of layers, until the last read.</p>
<div class="head" aria-hidden="true"><span>what for</span><span class="number">layer</span><span class="number">bytes</span><span class="number">took</span>${scaleOf(axis)}</div>
${during.map(
  (
    one,
  ) => html`<details class="row"><summary><span class="name what">${PURPOSES[one.purpose]}</span><span class="number layer">${one.layer + 1}</span><span class="number">${formatBytes(one.bytes)}</span><span class="number why">${formatMs(one.ms)}</span><span class="bar">${requestBars(one, axis)}</span></summary><p>Sent at ${formatMs(one.at)}; its first byte came ${formatMs(one.firstByteMs)} later, its last ${formatMs(one.ms)}.</p></details>
`,
)}`;
}
