// SPDX-License-Identifier: GPL-3.0-or-later

// Runs the tests again and again, every other time beside two busy processes, and tells which failed how often.
//
//   make test-repeat [N=10] [FILES='dist/test/mount/network.test.js ...']
//   scripts/test-repeat.mjs [N [FILE...]]
//
// Ends with 1 if any test failed in any run.

import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

const BUSY = 2;

/** Keeps a processor busy, until it is killed or whoever started it has gone. */
const BUSY_PROGRAM = 'const parent = process.ppid; while (process.ppid === parent);';

const [count = '10', ...files] = process.argv.slice(2);
const runs = Number(count);
if (!Number.isInteger(runs) || runs < 1) {
  process.stderr.write(`test-repeat: N is "${count}"; it must be a whole number from 1\n`);
  process.exit(2);
}

/** Runs the tests once. Resolves to whether all passed, the titles that failed, the last line, and the whole report. */
async function testOnce() {
  const child = spawn('scripts/run-tests', files, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => {
    child.once('exit', resolve);
  });
  const report = await text(child.stdout);
  const failed = [...report.matchAll(/^not ok \d+ - (.*)$/gm)].map(([, title]) => title);
  return { passed: (await ended) === 0, failed, last: report.trim().split('\n').at(-1), report };
}

/** By title: the numbers of the runs in which it failed. */
const failures = new Map();

for (let run = 1; run <= runs; run++) {
  const busy = run % 2 === 0 ? Array.from({ length: BUSY }, () => spawn(process.execPath, ['-e', BUSY_PROGRAM])) : [];
  const began = Date.now();
  const { passed, failed, last, report } = await testOnce();
  for (const child of busy) child.kill('SIGKILL');
  if (!passed) process.stdout.write(report);
  const how = busy.length > 0 ? ` beside ${BUSY} busy processes` : '';
  console.log(`run ${run} of ${runs}${how}: ${last}, ${Math.round((Date.now() - began) / 1000)} s`);
  if (!passed && failed.length === 0) failed.push('(the run as a whole)');
  for (const title of new Set(failed)) failures.set(title, [...(failures.get(title) ?? []), run]);
}

for (const [title, of] of [...failures].sort(([, a], [, b]) => b.length - a.length)) {
  console.log(
    `failed ${of.length} times in ${runs}: ${title} (${of.filter((run) => run % 2 === 0).length} times on a busy machine)`,
  );
}
console.log(failures.size === 0 ? `no test failed in ${runs} runs` : `${failures.size} tests failed in ${runs} runs`);
process.exit(failures.size === 0 ? 0 : 1);
