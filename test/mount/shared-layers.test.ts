// SPDX-License-Identifier: GPL-3.0-or-later

/** Layers of images that several mounts have, at the same time or one after the other. */

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { Client } from 'undici';
import { imageOf, pushTars } from '../tools/image.js';
import { anyDriver, Machine, until, whyNoMounts } from '../tools/machine.js';
import { writeNastyTar } from '../tools/nasty-tar.js';
import { missing, startRegistry } from '../tools/registry.js';
import { type Blob, blobOf, pushImage } from '../tools/registry-image.js';
import { compareTrees, describeTree } from '../tools/tree.js';
import { writeWhiteoutTars } from '../tools/whiteout-tars.js';

const remote = anyDriver(whyNoMounts() ?? missing[0]);

async function world(
  t: ExecutionContext,
  settings: Record<string, string> = {},
): Promise<{ machine: Machine; host: string }> {
  const machine = new Machine(settings);
  t.teardown(() => machine.dispose());
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  return { machine, host: registry.host };
}

remote(
  'a layer that a manifest without a TOC has made known is held against the manifests that name one',
  async (t) => {
    const { machine, host } = await world(t);
    const { lower, upper } = writeWhiteoutTars(machine.directory('tars'));
    const honest = await imageOf([lower, upper]);
    const [base, top] = honest.layers as [Blob, Blob];
    const silent = [base, top].map(({ mediaType, bytes }) => blobOf(mediaType, bytes));
    await pushImage({ ...honest, layers: silent }, `${host}/image:silent`);
    await pushImage(
      { ...honest, layers: [{ ...base, annotations: top.annotations ?? {} }, top] },
      `${host}/image:wrong`,
    );
    await pushImage(honest, `${host}/image:right`);
    const refused = async (): Promise<void> => {
      const error = await t.throwsAsync(machine.mount([`docker://${host}/image:wrong`]));
      t.regex(error?.message ?? '', /its TOC is not the one of the manifest/);
    };
    const mount = await machine.mount([`docker://${host}/image:silent`]);
    await refused();
    await refused();
    const right = await machine.mount([`docker://${host}/image:right`]);
    t.deepEqual(compareTrees(await describeTree(right.merged), await describeTree(mount.merged)), []);
    await right.unmount();
    await mount.unmount();
    await until('the layers are let go', async () => (await machine.status())?.layers.length === 0);
    await refused();
    await (await machine.mount([`docker://${host}/image:right`])).unmount();
  },
);

remote('what was fetched stays counted when its mount is gone', async (t) => {
  const { machine, host } = await world(t, { CRFS_METRICS: join(tmpdir(), `crfs-metrics-${process.pid}`) });
  const { path } = writeNastyTar(machine.directory('nasty'));
  await pushTars([path], `${host}/nasty:1`);
  const mount = await machine.mount([`docker://${host}/nasty:1`]);
  await describeTree(mount.merged, { readers: 4 });
  const client = new Client('http://crfs', { socketPath: machine.env['CRFS_METRICS'] ?? '' });
  t.teardown(() => client.close());
  const fetched = async (): Promise<number> => {
    const { body } = await client.request({ method: 'GET', path: '/metrics' });
    return Number(/^crfs_fetched_bytes_total (\d+)$/m.exec(await body.text())?.[1]);
  };
  const before = await fetched();
  t.true(before > 5 << 20, `${before}`);
  await mount.unmount();
  await until('the layer is let go', async () => (await machine.status())?.layers.length === 0);
  t.true((await fetched()) >= before);
});
