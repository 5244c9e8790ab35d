// SPDX-License-Identifier: GPL-3.0-or-later

/** What commands make of failures: an exit code, and one line on stderr, which is JSON for who has asked for that. */

import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { Command } from 'commander';
import { createProgram } from '../../src/main/program.js';
import { type Machine, whyNoMounts } from '../tools/machine.js';
import { invoke, layerOf, makeMachine, type Outcome, SMALL } from './setting.js';

/** Command lines that fail on a machine whose cache anybody can enter, and what codes they tell. */
const FAILING: Readonly<Record<string, string>> = {
  ...(whyNoMounts() === undefined ? { 'mount small.tar.esgz nowhere': 'CRFS_NOT_FOUND' } : {}),
  'umount nowhere': 'CRFS_DENIED',
  'lowerdir ./nofile .': 'CRFS_NOT_FOUND',
  'ls ./nofile': 'CRFS_NOT_FOUND',
  'ls small.tar.esgz --layer 2': 'CRFS_NOT_FOUND',
  'stat small.tar.esgz /nothing': 'CRFS_NOT_FOUND',
  'cat small.tar.esgz etc': 'CRFS_NOT_FOUND',
  'verify oci:nowhere': 'CRFS_NOT_FOUND',
  'stargzify ./nofile x.esgz': 'CRFS_NOT_FOUND',
  'daemon ': 'CRFS_INTERNAL',
  'status ': 'CRFS_DENIED',
  'trace .': 'CRFS_DENIED',
  'cache du': 'CRFS_DENIED',
  'cache gc': 'CRFS_DENIED',
  'cache verify': 'CRFS_DENIED',
  'cache clear': 'CRFS_DENIED',
  'stop ': 'CRFS_DENIED',
};

interface Told {
  readonly error: { readonly code: string; readonly message: string };
}

/** The names of a program's commands, with those that are parts of others. */
function namesOf(command: Command): string[] {
  return command.commands.flatMap((part) => {
    return part.commands.length > 0 ? namesOf(part).map((name) => `${part.name()} ${name}`) : [part.name()];
  });
}

async function machineOf(...[t]: Parameters<typeof makeMachine>): Promise<Machine> {
  const machine = makeMachine(t);
  await layerOf(machine, SMALL);
  return machine;
}

/** The line of an outcome that is nothing but an error with this exit code, told in JSON. */
function errorOf({ code, stdout, stderr }: Outcome, exitCode: number): Told['error'] {
  const lines = stderr.split('\n');
  const isNothing = stdout === '' || stdout === '[]\n'; // of several things, those that were well
  if (code !== exitCode || !isNothing || lines.length !== 2) throw new Error(`${code} ${stdout}\n${stderr}`);
  return (JSON.parse(lines[0] ?? '') as Told).error;
}

test('what makes no sense is told in JSON to who asks for JSON, by every command', async (t) => {
  const machine = await machineOf(t);
  const names = namesOf(await createProgram()).filter((name) => !/\bhelp$|^run$/.test(name)); // what is behind an image is the container's
  t.true(names.length > 14);
  for (const name of names) {
    const { code, message } = errorOf(await invoke(machine, [...name.split(' '), '--nonsense', '--json']), 2);
    t.is(code, 'CRFS_USAGE', name);
    t.is(message, `unknown option '--nonsense'; see \`crfs ${name} --help\``);
  }
});

test('what fails is told in one line, or in JSON with the same words, by every command', async (t) => {
  const machine = await machineOf(t);
  chmodSync(machine.directory('cache/crfs-plugin'), 0o777);
  t.teardown(() => chmodSync(join(machine.root, 'cache/crfs-plugin'), 0o700));
  const program = await createProgram();
  const hasJson = (words: readonly string[]): boolean => {
    const command = program.commands.find((one) => one.name() === words[0]);
    const part = command?.commands.find((one) => one.name() === words[1]) ?? command;
    return part?.options.some(({ long }) => long === '--json') ?? false;
  };
  for (const [line, wanted] of Object.entries(FAILING)) {
    const words = line.split(' ').filter((word) => word !== '');
    const plain = await invoke(machine, words);
    t.deepEqual([plain.code, plain.stdout], [1, ''], line);
    t.regex(plain.stderr, /^crfs: [^\n]+\n$/, line);
    if (!hasJson(words)) continue;
    const { code, message } = errorOf(await invoke(machine, [...words, '--json']), 1);
    t.is(code, wanted, line);
    t.is(`crfs: ${message}\n`, plain.stderr, line);
  }
});

test('an argument that is called --json asks for nothing', async (t) => {
  const machine = await machineOf(t);
  const same = await invoke(machine, ['umount', '--', '--json']);
  t.deepEqual(same, {
    code: 1,
    stdout: '',
    stderr: `crfs: "${machine.root}/--json" is no mount of layers: nothing is mounted there\n`,
  });
});
