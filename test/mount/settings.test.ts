// SPDX-License-Identifier: GPL-3.0-or-later

/** Settings as a person gives them: config.toml, then the environment, then flags. */

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { DRIVERS } from '../../src/main/mount/driver.js';
import { invoke, layerOf, makeMachine, SMALL } from '../commands/setting.js';
import { crfs, Machine, mountingTest } from '../tools/machine.js';
import { run } from '../tools/run.js';

function prepare(t: ExecutionContext, config = '') {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const file = join(machine.directory('config/crfs-plugin'), 'config.toml');
  writeFileSync(file, config);
  const start = async (flags: readonly string[], env: Record<string, string> = {}) => {
    await run(crfs, ['daemon', ...flags], { env: { ...machine.env, ...env } });
    const status = await machine.status();
    await machine.stop();
    return status?.workers;
  };
  return { file, start };
}

test.serial('flags win over the environment, which wins over config.toml', async (t) => {
  const { start } = prepare(t, 'workers = 3\nengine = "zlib"\n');
  t.like(await start([]), { most: 3, engine: 'zlib' });
  t.like(await start([], { CRFS_WORKERS: '2' }), { most: 2, engine: 'zlib' });
  t.like(await start(['--workers', '1', '--engine', 'pako'], { CRFS_WORKERS: '2' }), { most: 1, engine: 'pako' });
});

interface Wrong {
  readonly config?: string;
  readonly env?: Record<string, string>;
  readonly flags?: readonly string[];
  /** FILE stands for config.toml. */
  readonly says: string;
}

const wrong: readonly Wrong[] = [
  { flags: ['--workers', '0'], says: '--workers: workers is "0"; it must be a whole number from 1 to 256' },
  { flags: ['--workers', '1.5'], says: '--workers: workers is "1.5"; it must be a whole number from 1 to 256' },
  { flags: ['--readahead=-1'], says: '--readahead: readahead is "-1"; it must be bytes, as 4194304 or 4M' },
  {
    env: { CRFS_ENGINE: 'lzma' },
    says: 'CRFS_ENGINE: engine is "lzma"; it must be one of libdeflate, zlib, pako',
  },
  {
    env: { CRFS_IDLE_TIMEOUT: 'soon' },
    says: 'CRFS_IDLE_TIMEOUT: idle-timeout is "soon"; it must be a time: seconds, as 90 or 90s, or 10m, 2h, 1d',
  },
  { config: 'workers = "many"', says: 'FILE: workers is "many"; it must be a whole number from 1 to 256' },
  { config: 'log-level = "all"', says: 'FILE: log-level is "all"; it must be one of debug, info, warn, error' },
];

test.serial('a wrong setting is refused in one line: where it is, what it is, what it must be', async (t) => {
  const { file, start } = prepare(t);
  for (const { config = '', env, flags = [], says } of wrong) {
    writeFileSync(file, config);
    const error = await t.throwsAsync(start(flags, env));
    t.is(error?.message.replace(/^.* ended with 2: /, ''), `crfs: ${says.replace('FILE', file)}`);
  }
});

test.serial('an unknown setting and a broken config.toml are refused by the name of the file', async (t) => {
  const { file, start } = prepare(t);
  for (const [config, says] of [
    ['colour = "red"\n', `crfs: ${file}: unknown setting colour`],
    ['workers = \n', `crfs: ${file}:1:11: `],
  ] as const) {
    writeFileSync(file, config);
    const error = await t.throwsAsync(start([]));
    t.true(error?.message.includes(says), error?.message);
  }
});

const mounting = mountingTest();

for (const driver of DRIVERS) {
  mounting(`a mount that a wrong setting keeps from being made ends with 2, by ${driver}`, async (t) => {
    const machine = makeMachine(t);
    const layer = await layerOf(machine, SMALL);
    const merged = machine.directory('merged');
    const mount = async (what: string, env: Record<string, string>) =>
      await invoke(machine, ['mount', '--driver', driver, what, merged], env);
    const workers = await mount(layer, { CRFS_WORKERS: 'many' });
    t.like(workers, { code: 2 });
    t.regex(workers.stderr, /^crfs: .*: the daemon did not start: CRFS_WORKERS: workers is "many"; .*\n$/);
    const file = join(machine.directory('config/crfs-plugin'), 'config.toml');
    writeFileSync(file, 'lazzy = 1\n');
    t.like(await mount(layer, {}), { code: 2 });
    rmSync(file);
    t.like(await mount(layer, { CRFS_LAZY: 'foo' }), { code: 2 }); // without a daemon
    await run(crfs, ['daemon'], { env: machine.env });
    t.like(await mount(layer, { CRFS_LAZY: 'foo' }), { code: 2 });
    const none = join(machine.root, 'none');
    writeFileSync(none, 'no layer');
    t.like(await mount(none, { CRFS_WORKERS: 'many' }), { code: 1 }); // which the daemon that runs does not heed
  });
}
