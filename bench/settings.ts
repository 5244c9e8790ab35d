// SPDX-License-Identifier: GPL-3.0-or-later

/** What the numbers depend on: the machine, the versions of everything, and how the benchmark was started. */

import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, tmpdir, totalmem } from 'node:os';
import { version } from '../src/main/version.js';
import { run } from '../test/tools/run.js';
import { top } from './paths.js';
import type { Plan } from './plan.js';

export type Settings = Readonly<Record<string, string>>;

export async function readSettings(started: Date, plan: Plan, flags: readonly string[]): Promise<Settings> {
  return {
    date: started.toISOString(),
    'crfs-plugin': `${version}, ${await said('git', ['-C', top, 'describe', '--always', '--dirty'])}`,
    plan: `${plan.name}, ${plan.repetitions} repetitions`,
    flags: flags.join(' ') || 'none',
    processor: cpus()[0]?.model ?? 'unknown',
    cores: String(availableParallelism()),
    memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    kernel: release(),
    system: osName(),
    'temporary files': await disk(tmpdir()),
    checkout: await disk(top),
    'load before': readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' '),
    node: process.version,
    'fuse-overlayfs': await said('fuse-overlayfs', ['--version']),
    libdeflate: await said('dpkg-query', ['-W', '-f', '${Version}', 'libdeflate0']),
    zlib: process.versions.zlib,
    skopeo: await said('skopeo', ['--version']),
    umoci: await said('umoci', ['--version']),
    tar: await said('tar', ['--version']),
    'clock source': line('/sys/devices/system/clocksource/clocksource0/current_clocksource'),
    'DAMON reclaims': line('/sys/kernel/mm/damon/admin/kdamonds/0/state'),
  };
}

export function settingsText(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name.padEnd(16)} ${value}`)
    .join('\n');
}

/** The version that a program prints: of the line that names the program, if there is one. */
async function said(program: string, args: readonly string[]): Promise<string> {
  try {
    const lines = String(await run(program, args)).split('\n');
    const own = lines.find((text) => text.startsWith(program)) ?? lines[0] ?? '';
    return own.replace(/^.*\bversion:? /, '');
  } catch {
    return 'not found';
  }
}

function osName(): string {
  const known = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  return /^PRETTY_NAME="(.*)"$/m.exec(known)?.[1] ?? 'unknown';
}

/** What a file of the kernel says, or `no` where there is none. */
function line(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : 'no';
}

/** Of an ext4: without a journal it is slow to make files for minutes after others were removed. */
function isJournaled(source: string, type: string): boolean {
  return type !== 'ext4' || existsSync(`/proc/fs/jbd2/${source.slice('/dev/'.length)}-8`);
}

async function disk(directory: string): Promise<string> {
  const text = String(await run('df', ['--output=source,fstype,avail', '-BG', directory]));
  const [source = '', type = '', free = ''] = (text.trim().split('\n')[1] ?? '').trim().split(/\s+/);
  return `${type}${isJournaled(source, type) ? '' : ' without a journal'} on ${source}, ${free} free`;
}
