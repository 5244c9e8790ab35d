// SPDX-License-Identifier: GPL-3.0-or-later

/** A further name of a file of the image, made on a mount by the kernel's overlay: as on a plain one over the extracted tree. */

import { linkSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sameBytes } from '../tools/bytes.js';
import { Machine, mountingTest, until } from '../tools/machine.js';
import { nastyLayer } from '../tools/nasty-layer.js';
import { run } from '../tools/run.js';

const test = mountingTest();

const FILE = 'sizes/513';

test('a new name of a file has its inode number, where a plain overlay gives it that', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const { layer, extracted } = await nastyLayer();
  const merged = machine.directory('merged');
  t.teardown(() => run('umount', ['-q', merged]).catch(() => undefined));
  let count = 0;
  const changes = (): string[] => [machine.directory(`upper${++count}`), machine.directory(`work${count}`)];
  /** Whether both names have one number. */
  const links = (what: string): boolean => {
    const [before, after] = [join(merged, FILE), join(merged, 'new-name')];
    linkSync(before, after);
    sameBytes(t, readFileSync(after), readFileSync(join(extracted, FILE)));
    t.deepEqual(
      [before, after].map((path) => lstatSync(path).nlink),
      [2, 2],
      what,
    );
    return lstatSync(before, { bigint: true }).ino === lstatSync(after, { bigint: true }).ino;
  };
  const ours = async (what: string, ...options: string[]): Promise<boolean> => {
    const [upper = '', work = ''] = changes();
    await machine.crfs('mount', layer, merged, '--driver', 'overlay', '--upper', upper, '--work', work, ...options);
    const are = links(what);
    await run('umount', [merged]);
    return are;
  };
  const [upper, work] = changes();
  const options = `lowerdir=${extracted},upperdir=${upper},workdir=${work},index=off,metacopy=off,xino=off`;
  await run('mount', ['-t', 'overlay', 'plain', '-o', options, merged]);
  t.true(links('plain'));
  await run('umount', [merged]);
  t.true(await ours('first', '-o', 'xino=on'));
  const stubs = join(machine.objects, '../stubs');
  await until('there are stubs', () => readdirSync(stubs).some((name) => !/^(new|gone)-/.test(name)));
  t.true(await ours('later'));
});
