// SPDX-License-Identifier: GPL-3.0-or-later

/** Mounts that need what another mount of layers shows: a layer, a directory below, a place to be. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeLayer } from '../tools/layers.js';
import { eachDriver, Machine } from '../tools/machine.js';
import { writeTar } from '../tools/tar-writer.js';

const both = eachDriver();

both('a layer, a directory below it and the mountpoint may lie in another mount of layers', async (t, driver) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const tars = machine.directory('tars');
  writeTar(join(tars, 'inner.tar'), [{ name: 'inner', content: 'of the inner layer\n' }]);
  const inner = readFileSync(await makeLayer(join(tars, 'inner.tar')));
  writeTar(join(tars, 'outer.tar'), [
    { name: 'layer.esgz', content: inner },
    { name: 'below/', type: '5', mode: 0o755 },
    { name: 'below/file', content: 'of the outer layer\n' },
    { name: 'place/', type: '5', mode: 0o755 },
  ]);
  const outer = await machine.mount([await makeLayer(join(tars, 'outer.tar'))]);
  const at = (name: string): string => join(outer.merged, name);
  await machine.crfs('mount', at('layer.esgz'), at('place'), '--lower', at('below'), '--driver', driver);
  t.teardown(() => machine.crfs('umount', at('place')));
  t.deepEqual(
    readdirSync(at('place'))
      .filter((name) => !name.startsWith('.') && name !== 'stargz.index.json')
      .sort(),
    ['file', 'inner'],
  );
  t.is(readFileSync(at('place/file'), 'utf8'), 'of the outer layer\n');
  t.is(readFileSync(at('place/inner'), 'utf8'), 'of the inner layer\n');
});
