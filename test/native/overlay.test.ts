// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mountingTest } from '../tools/machine.js';
import { compile, outcomeOf } from './compile.js';

const mounting = mountingTest();

for (const kernel of ['this one', '6.5', '5.12']) {
  mounting(`an overlay is told of its lower directories in the way of Linux: ${kernel}`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'crfs-overlay-'));
    t.teardown(() => rm(directory, { recursive: true }));
    const program = await compile({ name: 'overlay', sources: ['csrc/client/report.c'], watch: 'address' });
    const outcome = await outcomeOf(program, [directory, kernel]);
    t.is(outcome.stderr, '');
    t.regex(outcome.stdout, /^checks [1-9]\d*\n$/);
    t.is(outcome.code, 0);
  });
}
