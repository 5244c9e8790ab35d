// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { logFile } from '../../src/main/daemon/log.js';
import { cacheDirectory, configDirectory } from '../../src/main/settings/directories.js';
import { settingsPage } from '../../src/main/settings/page.js';

const VARIABLES = ['HOME', 'XDG_CACHE_HOME', 'XDG_STATE_HOME', 'XDG_CONFIG_HOME'] as const;

/** Where they are by now, by the variables. */
function found(): Readonly<Record<string, string>> {
  return {
    XDG_CACHE_HOME: `${cacheDirectory()}/`,
    XDG_STATE_HOME: logFile(),
    XDG_CONFIG_HOME: join(configDirectory(), 'config.toml'),
  };
}

test('cache, log and settings are where the page says, whichever of the variables are set', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'crfs-test-'));
  const before = VARIABLES.map((name) => [name, process.env[name]] as const);
  t.teardown(() => {
    rmSync(root, { recursive: true });
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  process.env['HOME'] = join(root, 'home');
  const rows = [...settingsPage().matchAll(/\| `\$(XDG_\w+)\/([^`]+)` \| `~\/([^`]+)` \|/g)];
  t.is(rows.length, 3);
  for (const only of [...VARIABLES.slice(1), undefined]) {
    for (const name of VARIABLES.slice(1)) delete process.env[name];
    if (only !== undefined) process.env[only] = join(root, 'set');
    for (const [, name = '', path = '', otherwise = ''] of rows) {
      t.is(found()[name], name === only ? join(root, 'set', path) : join(root, 'home', otherwise), `${name}, ${only}`);
    }
  }
});
