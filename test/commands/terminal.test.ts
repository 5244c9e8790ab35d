// SPDX-License-Identifier: GPL-3.0-or-later

/** What a person sees on a terminal, and that the terminal is left as it was found. */

import { once } from 'node:events';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import test from 'ava';
import { cutTo } from '../../src/main/output/text.js';
import { noise } from '../tools/content.js';
import { until } from '../tools/machine.js';
import { writeTar } from '../tools/tar-writer.js';
import {
  imageOf,
  layerOf,
  makeMachine,
  onTerminal,
  registryTest,
  SMALL,
  stalling,
  startOnTerminal,
} from './setting.js';

/** How a mode of the terminal is switched: the cursor's, the wrapping's, any. */
const MODE = '\x1b[?';
const TO_FIRST_COLUMN = '\x1b[1G';

/** The lines that a terminal was sent, each as it was last written. */
function linesOf(screen: string): string[] {
  return stripVTControlCharacters(screen.replaceAll(TO_FIRST_COLUMN, '\n')).split(/[\r\n]/);
}

test('a terminal gets colours unless NO_COLOR is set, and last the result', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  const { code, screen } = await onTerminal(machine, ['verify', layer]);
  t.is(code, 0);
  t.true(screen.includes(`${layer}: \x1b[32mok\x1b[39m, 4 files, 17 B\r\n`), JSON.stringify(screen));
  t.true((await onTerminal(machine, ['ls', layer])).screen.includes('\x1b[1m\x1b[34mbin'));
  t.is((await onTerminal(machine, ['ls', layer], { env: { NO_COLOR: '1' } })).screen, 'bin\r\netc\r\nusr\r\n');
});

for (const columns of [80, 40, 20]) {
  registryTest(`bars of verify fit into ${columns} columns, and its verdicts are whole`, async (t) => {
    const machine = makeMachine(t);
    const tars = ['one.tar', 'two.tar'].map((name) => join(machine.directory('a-directory-with-a-long-name'), name));
    for (const tar of tars) writeTar(tar, [{ name: tar.slice(-7), content: noise(100_000) }]);
    const { name, image } = await imageOf(t, tars);
    const { code, screen } = await onTerminal(machine, ['verify', name], { columns });
    t.is(code, 0);
    t.false(screen.includes(MODE));
    const verdicts = image.layers.map(
      ({ digest }, i) => `${i + 1}/2 layer ${digest.slice(0, 19)}: ok, 1 file, 97.7 KiB`,
    );
    const lines = linesOf(screen);
    t.deepEqual(
      verdicts.filter((verdict) => !lines.includes(verdict)),
      [],
    );
    const bars = lines.filter((line) => !line.startsWith('still ')); // which is said where it takes long
    for (const line of bars) t.true(line.length < columns || verdicts.includes(line), line);
  });
}

for (const [what, key, status] of [
  ['^C', '\x03', 130],
  ['^\\', '\x1c', 131],
] as const) {
  for (const command of ['verify', 'stargzify']) {
    registryTest(`${what} in ${command} leaves the terminal as it was`, async (t) => {
      const machine = makeMachine(t);
      const { proxy, name, digest } = await stalling(t, machine);
      const child = startOnTerminal(machine, [command, name, ...(command === 'verify' ? [] : ['oci:layout'])]);
      let screen = '';
      child.stdout.on('data', (bytes) => {
        screen += String(bytes);
      });
      const ended = once(child, 'close') as Promise<[number | null]>;
      await until('a layer is asked for, and a bar shown', () => {
        return proxy.seen.some(({ path }) => path.endsWith(digest)) && /\[=*-+\] \S+ \S+ of \S+/.test(screen);
      });
      child.stdin.write(key);
      t.is((await ended)[0], status);
      t.false(screen.includes(MODE));
      if (key === '\x03')
        t.true(screen.endsWith('crfs: interrupted: nothing half-done is left\r\n'), JSON.stringify(screen));
    });
  }
}

test('a text that is too wide for its place loses its middle', (t) => {
  t.is(cutTo('abcdefghij', 10), 'abcdefghij');
  t.is(cutTo('abcdefghij', 9), 'abcd…ghij');
  t.is(cutTo('abcdefghij', 1), '…');
  t.is(cutTo('層層層層', 5), '層…層');
});
