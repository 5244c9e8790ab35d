// SPDX-License-Identifier: GPL-3.0-or-later

import type { Bench } from '../bench.js';
import { convert } from './convert.js';
import { drivers } from './drivers.js';
import { idle } from './idle.js';
import { large } from './large.js';
import { layers } from './layers.js';
import { parallel } from './parallel.js';
import { plain } from './plain.js';
import { podman } from './podman.js';
import { read } from './read.js';
import { service } from './service.js';
import { start } from './start.js';
import { walk } from './walk.js';

interface Workload {
  readonly title: string;
  readonly run: (bench: Bench) => Promise<void>;
}

export const workloads = {
  1: { title: 'Walk', run: walk },
  2: { title: 'Read everything, one reader', run: read },
  3: { title: 'Parallel layer reads', run: parallel },
  4: { title: 'Container start over a link', run: start },
  5: { title: 'Convert', run: convert },
  6: { title: 'What the daemon costs', run: idle },
  7: { title: 'Large files over a link', run: large },
  8: { title: 'Drivers', run: drivers },
  9: { title: 'podman run over a link', run: podman },
  10: { title: 'An image of many layers over a link', run: layers },
  11: { title: 'Services over a link', run: service },
  12: { title: 'Layers that nobody converted', run: plain },
} as const satisfies Record<number, Workload>;
