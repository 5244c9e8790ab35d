// SPDX-License-Identifier: GPL-3.0-or-later

import type { Command } from 'commander';
import { checkCache, checkDaemon } from '../doctor/cache.js';
import type { Finding } from '../doctor/check.js';
import { checkImage } from '../doctor/image.js';
import { checkDrivers, checkRights } from '../doctor/mounting.js';
import { checkMounts } from '../doctor/mounts.js';
import { checkSettings } from '../doctor/settings.js';
import { checkStore } from '../doctor/store.js';
import { processEnvironment } from '../environment/environment.js';
import { escapeLine, painterFor, toJson } from '../output/terminal.js';
import { tellingIfSlow } from '../output/waiting.js';
import { version } from '../version.js';

const HELP = `
A line for each thing, with what to do below it: \`ok\`; \`--\` for what is not
there and need not be; \`bad\` for what does not work. Exits with 1 if anything is
bad.

Examples:
  crfs doctor
  crfs doctor localhost:5000/img:tag
  crfs doctor --json | jq '.[] | select(.state == "bad")'`;

const MARKS = { ok: 'ok ', note: '-- ', bad: 'bad' } as const;
const COLOURS = { ok: 'green', note: 'yellow', bad: 'red' } as const;

/** `crfs doctor` */
export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('look whether all is there that mounts and podman need, and tell what to do')
    .argument('[image]', 'an image whose registry is asked as well')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async (image: string | undefined, { json }: { json?: boolean }) => {
      const findings = await tellingIfSlow('looking at the machine, and asking podman', examine(image));
      process.stdout.write(json ? `${toJson(findings)}\n` : findings.map(render).join(''));
      if (findings.some(({ state }) => state === 'bad')) process.exitCode = 1;
    });
}

async function examine(image: string | undefined): Promise<Finding[]> {
  const { settings, finding } = await checkSettings();
  const found = await Promise.all([
    checkDrivers(),
    Promise.resolve(checkRights()),
    checkStore(processEnvironment),
    checkImage(image, settings !== undefined),
    Promise.resolve(finding),
    checkCache(settings),
    checkDaemon(version),
    Promise.resolve(checkMounts()),
  ]);
  return found.flat();
}

function render({ name, state, says, advice }: Finding): string {
  const mark = painterFor(process.stdout)(COLOURS[state], MARKS[state]);
  const first = `${mark}  ${name.padEnd(14)}  ${escapeLine(says)}\n`;
  return advice === null ? first : `${first}     ${''.padEnd(14)}  ${escapeLine(advice)}\n`;
}
