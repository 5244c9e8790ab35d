// SPDX-License-Identifier: GPL-3.0-or-later

/** Changes that one driver has kept show the same when the other one mounts them again, and the first one after that. */

import { join } from 'node:path';
import { DRIVERS, type Driver } from '../../src/main/mount/driver.js';
import { extractTar } from '../tools/extract.js';
import { makeLayer } from '../tools/layers.js';
import { crfs, LET_GO, Machine, mountingTest } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { type TarEntry, writeTar } from '../tools/tar-writer.js';

const test = mountingTest();
const mtime = 1_500_000_000;

const DIRECTORIES = ['replaced/', 'renamed/', 'renamed/below/', 'emptied/', 'removed/', 'again/', 'again/deep/'];
const FILES = ['gone', 'linked', 'written', 'replaced/old', 'renamed/file', 'renamed/below/file', 'emptied/file'];

const IMAGE: readonly TarEntry[] = [
  ...DIRECTORIES.map((name): TarEntry => ({ name, type: '5', mode: 0o755, mtime })),
  ...[...FILES, 'removed/file', 'again/deep/file'].map((name): TarEntry => ({ name, mtime, content: `${name}\n` })),
];

/** Whiteouts, opaque directories, renamed ones, names of one file. */
const CHANGES = `
  rm gone emptied/file
  rm -r replaced; mkdir replaced; echo new >replaced/new
  mv renamed moved; mv moved/below/file moved/below/other
  rm -r removed
  ln linked thrice; echo more >>thrice
  echo more >>written; ln written written-too
  mkdir -p made/inside; mv made/inside made/elsewhere; rmdir made/elsewhere; touch made/.whatever
  rm -r again; mkdir -p again/deep/er; touch again/deep/er/file; rm -r again/deep/er`;

/** More of it, on what was kept. */
const MORE = `
  rm replaced/new thrice; mkdir gone; touch gone/below
  rm -r moved/below made; mkdir emptied/now made; touch made/file`;

/** Prints all that shows, and which names are of one file. */
const LOOK = `
  find . ! -name . -printf '%P %y %m %U\\n' | sort
  find . -type f -print0 | sort -z | xargs -0 sha256sum
  find . ! -name . -print0 | sort -z | xargs -0 getfattr -h -d -m -
  if [ written -ef written-too ]; then echo one file; fi`;

/** What shows after each step of this: `first` writes, `second` writes more, and `first` shows that. */
function script(layer: string, first: Driver, second: Driver): string {
  const at = (driver: Driver, ...steps: string[]): string => `
    ${crfs} mount '${layer}' merged --upper upper --work work --driver ${driver} >&2
    cd merged
    ${steps.join('\n')}
    cd ..
    ${crfs} umount merged >&2`;
  const next = 'echo ==';
  return [at(first, CHANGES), at(second, LOOK, next, MORE), at(first, LOOK), `${crfs} stop >&2`].join('\n');
}

for (const [where, through] of [
  ['as root', []],
  ['in a user namespace', ['unshare', '-Urm']],
] as const) {
  for (const first of DRIVERS) {
    const [second = first] = DRIVERS.filter((driver) => driver !== first);
    test(`what ${first} has kept, ${second} shows and changes, and ${first} again, ${where}`, async (t) => {
      const machine = new Machine();
      t.teardown(() => machine.dispose());
      const tar = join(machine.root, 'image.tar');
      writeTar(tar, IMAGE);
      const layer = await makeLayer(tar);
      for (const name of ['merged', 'upper', 'work']) machine.directory(name);
      const plain = machine.directory('plain');
      await extractTar(tar, plain);
      const sh = async (text: string, cwd: string, ...before: readonly string[]): Promise<string[]> => {
        const [program, ...args] = [...before, 'sh', '-e', '-c', text];
        return String(await run(program, args, { cwd, env: machine.env })).split('==\n');
      };
      const [changed = '', more = ''] = await sh([CHANGES, LOOK, 'echo ==', MORE, LOOK].join('\n'), plain);
      t.true(changed.includes('one file\n'));
      const letGo = through.length > 0 ? LET_GO : '';
      const shown = await sh(`${letGo}\n${script(layer, first, second)}`, machine.root, ...through);
      t.deepEqual(shown[0]?.split('\n'), changed.split('\n'), `kept by ${first}, by ${second}`);
      t.deepEqual(shown[1]?.split('\n'), more.split('\n'), `kept by both, by ${first}`);
    });
  }
}
