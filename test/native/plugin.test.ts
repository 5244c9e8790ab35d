// SPDX-License-Identifier: GPL-3.0-or-later

import { join } from 'node:path';
import test from 'ava';
import { run } from '../tools/run.js';
import { compile, outcomeOf, parts } from './compile.js';

test('the plugin exports what fuse-overlayfs looks for, and nothing else', async (t) => {
  const plugin = join(import.meta.dirname, '../../../build/Release/crfs-plugin.so');
  const symbols = (await run('nm', ['-D', '--defined-only', plugin])).toString();
  const names = symbols.match(/\S+$/gm);
  t.deepEqual(names, ['plugin_load', 'plugin_name', 'plugin_release', 'plugin_version']);
});

test('the plugin answers every metadata question from the index, with the right errno', async (t) => {
  const metadata = await compile({ name: 'metadata', sources: await parts.plugin(), watch: 'address' });
  const outcome = await outcomeOf(metadata, []);
  t.is(outcome.stderr, '');
  t.regex(outcome.stdout, /^checks [1-9]\d\d+\n$/);
  t.is(outcome.code, 0);
});

test('a configuration is taken in any base64 and refused if it is no text', async (t) => {
  const sources = ['csrc/plugin/config.c', 'csrc/client/report.c'];
  const config = await compile({ name: 'config', sources, watch: 'address' });
  const outcome = await outcomeOf(config, []);
  t.is(outcome.stderr, '');
  t.regex(outcome.stdout, /^checks [1-9]\d+\n$/);
  t.is(outcome.code, 0);
});
