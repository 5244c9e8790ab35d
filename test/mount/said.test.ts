// SPDX-License-Identifier: GPL-3.0-or-later

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { Said } from '../../src/main/mount/said.js';

test('an option that the host does not know is heard of, also when the mount is seen before what was said of it', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'crfs-said-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const mounted = join(directory, 'mounted');
  const host = spawn('sh', ['-c', 'echo "unknown argument ignored: x=1" >&2; : >"$0"; exec cat', mounted]);
  const ended = once(host, 'close');
  const said = new Said(host, () => undefined);
  while (!existsSync(mounted)); // and nothing that the host says is read meanwhile
  t.is(said.unknown, undefined);
  await said.heard();
  t.is(said.unknown, 'x=1');
  await ended; // it was told to
});
