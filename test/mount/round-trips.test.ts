// SPDX-License-Identifier: GPL-3.0-or-later

/** Who waits for whom, from an image's tag to the first file that is read, where nothing is cached. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sameBytes } from '../tools/bytes.js';
import { noise } from '../tools/content.js';
import { type Seen, startFaultProxy } from '../tools/fault-proxy.js';
import { Gate } from '../tools/gate.js';
import { pushTars } from '../tools/image.js';
import { anyDriver, Machine, until, whyNoMounts } from '../tools/machine.js';
import { missing, startRegistry } from '../tools/registry.js';
import { MIB } from '../tools/remote-layer.js';
import { writeTar } from '../tools/tar-writer.js';

const shared = anyDriver(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

const isLayer = ({ path }: Seen): boolean => path.includes('/blobs/');
const isAttached = ({ path }: Seen): boolean => /referrers|sha256-/.test(path);

for (const count of [1, 30]) {
  shared(`until its first file is read, an image of ${count} layers takes three round trips in sequence`, async (t) => {
    const machine = new Machine({ CRFS_BACKGROUND: 'off', CRFS_READAHEAD: '0' });
    t.teardown(() => machine.dispose());
    const registry = await startRegistry();
    t.teardown(() => registry.stop());
    const proxy = await startFaultProxy({ upstream: registry.url });
    t.teardown(() => proxy.close());
    const first = noise(200_000, 1);
    const tars = Array.from({ length: count }, (_, n) => {
      const path = join(machine.directory('tars'), `${n}.tar`);
      const space =
        n === 0
          ? [
              { name: 'first', content: first },
              { name: 'space', content: noise(2 * MIB, 2) },
            ]
          : [];
      writeTar(path, [...space, { name: `file-${n}`, content: Buffer.from(`layer ${n}\n`) }]);
      return path;
    });
    await pushTars(tars, `${registry.host}/img:1`);
    const manifest = new Gate();
    const layers = new Gate();
    t.teardown(() => [manifest, layers].map((gate) => gate.open()));
    proxy.fault = (seen) => ({ kind: 'hold', gate: isLayer(seen) || isAttached(seen) ? layers : manifest });
    const mounting = machine.mount([`docker://${proxy.host}/img:1`]);
    await until('the manifest is asked for', () => manifest.arrivals > 0);
    t.is(proxy.seen.length, 1, 'nothing comes before it');
    manifest.open();
    await until('all else is asked for before any of it is had', () => layers.arrivals === count + 2);
    t.is(manifest.arrivals, 1, 'one round trip for the manifest');
    layers.open();
    const mount = await mounting;
    t.is(proxy.seen.filter(isLayer).length, count, 'one round trip for all TOCs');
    sameBytes(t, await readFile(join(mount.merged, 'first')), first);
    const ranges = proxy.seen.filter(isLayer).slice(count);
    t.true(ranges.length > 0 && ranges.length <= 2, 'one for the file: what is around it comes beside it');
  });
}
