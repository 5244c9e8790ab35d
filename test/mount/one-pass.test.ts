// SPDX-License-Identifier: GPL-3.0-or-later

/** A layer without a TOC that several want at the same time: it is read once for all of them. */

import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { start } from '../commands/setting.js';
import { registryBehindProxy } from '../tools/behind-proxy.js';
import { sameBytes } from '../tools/bytes.js';
import { noise } from '../tools/content.js';
import { Gate } from '../tools/gate.js';
import { Machine, mountingTest, until, whyNoMounts } from '../tools/machine.js';
import { sha256 } from '../tools/read-layer.js';
import { missing } from '../tools/registry.js';
import { blobOf, pushImage } from '../tools/registry-image.js';
import { writeTar } from '../tools/tar-writer.js';

const mounting = mountingTest(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

const CONTENT = noise(8 << 20);

mounting(
  'mounts, prefetch and index of one image at the same time read its layer once, whoever of them goes',
  async (t) => {
    const machine = new Machine({ CRFS_BACKGROUND: 'off', CRFS_LOG_LEVEL: 'info' });
    t.teardown(() => machine.dispose());
    const { registry, proxy } = await registryBehindProxy(t, machine);
    const tar = join(machine.directory('tars'), 'layer.tar');
    writeTar(tar, [{ name: 'file', content: CONTENT }]);
    const bytes = readFileSync(tar);
    const layer = blobOf('application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(bytes));
    const facts = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [sha256(bytes)] } };
    const config = blobOf('application/vnd.oci.image.config.v1+json', Buffer.from(JSON.stringify(facts)));
    await pushImage({ layers: [layer], config }, `${registry.host}/plain:1`);
    const image = `docker://${proxy.host}/plain:1`;

    const gate = new Gate();
    t.teardown(() => gate.open());
    const middle = /^bytes=[1-9]\d{4,5}-/; // both ends of the layer come, which say that there is no TOC
    proxy.fault = ({ path, headers }) =>
      path.endsWith(layer.digest) && middle.test(headers.range ?? '') ? { kind: 'hold', gate, after: 1000 } : undefined;
    const begin = (command: string): { readonly child: ChildProcess; readonly said: () => string } => {
      const child = start(machine, [command, image]);
      let text = '';
      child.stderr.on('data', (piece) => (text += String(piece)));
      return { child, said: () => text };
    };
    const index = begin('index');
    await until('the layer comes', () => gate.arrivals > 0);
    const mounts = [machine.mount([image]), machine.mount([image])];
    const prefetch = begin('prefetch');
    const isWaiting = async (): Promise<boolean> => {
      const reading = (await machine.status())?.mounts.map((mount) => mount.reading?.length);
      return (
        reading?.join() === '1,1' && [index, prefetch].every(({ said }) => said().includes('reading all of layer'))
      );
    };
    await until('all wait for it', isWaiting);
    index.child.kill('SIGTERM');
    await once(index.child, 'exit');
    gate.open();
    t.deepEqual(await once(prefetch.child, 'exit'), [0, null]);
    for (const { merged } of await Promise.all(mounts)) sameBytes(t, await readFile(join(merged, 'file')), CONTENT);
    t.true(proxy.sent < 1.5 * layer.bytes.length, `${proxy.sent} bytes of ${layer.bytes.length}`);
    t.is(machine.log.split('read the TOC of a layer').length - 1, 1);
  },
);
