// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { settingsPage } from '../../src/main/settings/page.js';
import { loadSettings } from '../../src/main/settings/settings.js';
import { top } from '../tools/machine.js';

const home = mkdtempSync(join(tmpdir(), 'crfs-settings-'));
process.env['XDG_CONFIG_HOME'] = home;
test.after.always(() => rmSync(home, { recursive: true }));

function configure(text: string): string {
  mkdirSync(join(home, 'crfs-plugin'), { recursive: true });
  const file = join(home, 'crfs-plugin/config.toml');
  writeFileSync(file, text);
  return file;
}

test.serial('flags win over the environment, that over config.toml, and that over defaults', async (t) => {
  configure('workers = 3\nreadahead = "1M"\nidle-timeout = "2m"\n');
  process.env['CRFS_READAHEAD'] = '2M';
  process.env['CRFS_IDLE_TIMEOUT'] = '90';
  t.teardown(() => {
    delete process.env['CRFS_READAHEAD'];
    delete process.env['CRFS_IDLE_TIMEOUT'];
  });
  const settings = await loadSettings({ 'idle-timeout': '1h' });
  t.is(settings.workers, 3);
  t.is(settings.readahead, 2 << 20);
  t.is(settings['idle-timeout'], 3600);
  t.is(settings.engine, 'libdeflate');
});

const mistakes = [
  ['workers = 0', 'workers is 0; it must be a whole number from 1 to 256'],
  ['workers = "many"', 'workers is "many"; it must be a whole number from 1 to 256'],
  ['engine = "gzip"', 'engine is "gzip"; it must be one of libdeflate, zlib, pako'],
  ['readahead = -1', 'readahead is -1; it must be bytes, as 4194304 or 4M'],
  ['index-span = "1K"', 'index-span is "1K"; it must be bytes from 64K to 1G, as 512K'],
  ['idle-timeout = "soon"', 'idle-timeout is "soon"; it must be a time: seconds, as 90 or 90s, or 10m, 2h, 1d'],
] as const;

for (const [line, message] of mistakes) {
  test.serial(`config.toml with ${line} is refused`, async (t) => {
    const file = configure(line);
    await t.throwsAsync(loadSettings({}), { code: 'CRFS_USAGE', message: `${file}: ${message}` });
  });
}

test.serial('an unknown setting is refused by its name', async (t) => {
  configure('worker = 2');
  await t.throwsAsync(loadSettings({}), { code: 'CRFS_USAGE', message: /unknown setting worker; there are workers, / });
});

test('docs/settings.md is what the table of options says', (t) => {
  t.is(readFileSync(join(top, 'docs/settings.md'), 'utf8'), settingsPage());
});
