// SPDX-License-Identifier: GPL-3.0-or-later

// Writes the pages of docs/ that are made from the code, and what results of the benchmark make of one.

import { readFileSync, writeFileSync } from 'node:fs';
import { withResults } from '../dist/bench/report/page.js';
import { settingsPage } from '../dist/src/main/settings/page.js';

writeFileSync('docs/settings.md', settingsPage());

const performance = 'docs/performance.md';
writeFileSync(performance, withResults(readFileSync(performance, 'utf8'), 'bench/results', '../bench/results'));
