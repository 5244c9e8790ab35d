// SPDX-License-Identifier: GPL-3.0-or-later

// Reads what the sanitizers wrote into a directory. fuse-overlayfs leaks on its own: only leaks with a frame of ours count
// (the plugin stays loaded until the end, so its frames have names). Ends with 1 if anything does.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [directory] = process.argv.slice(2);
const OURS = /crfs-plugin\.so|crfs-lower|csrc\//;

const reports = readdirSync(directory).map((name) => ({ name, text: readFileSync(join(directory, name), 'utf8') }));
const found = reports.flatMap(({ name, text }) => {
  if (!text.includes('LeakSanitizer')) return [{ name, text }];
  const leaks = text.split('\n\n').filter((part) => / leak of /.test(part) && OURS.test(part));
  return leaks.map((leak) => ({ name, text: leak }));
});
for (const { name, text } of found) process.stdout.write(`${name}:\n${text}\n\n`);
process.stdout.write(`${reports.length} reports of sanitizers, ${found.length} of them about crfs-plugin\n`);
process.exitCode = found.length > 0 ? 1 : 0;
