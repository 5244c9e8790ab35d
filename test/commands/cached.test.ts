// SPDX-License-Identifier: GPL-3.0-or-later

/** Looking into what was mounted before: by the indexes in the cache, and without its registry as far as the cache has it. */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { gzip } from '../tools/compressed-stream.js';
import { noise } from '../tools/content.js';
import { type FaultProxy, startFaultProxy } from '../tools/fault-proxy.js';
import { imageOf } from '../tools/image.js';
import { type Machine, mountingTest, until, whyNoMounts } from '../tools/machine.js';
import { sha256 } from '../tools/read-layer.js';
import { missing, startRegistry } from '../tools/registry.js';
import { blobOf, pushImage } from '../tools/registry-image.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { invoke, makeMachine } from './setting.js';

const test = mountingTest(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

const READ = 'was read\n';
const UNREAD = noise(3_000_000);

/** An image of which one file was read in a mount, which is gone again. */
async function mountedBefore(t: ExecutionContext): Promise<{ machine: Machine; proxy: FaultProxy; name: string }> {
  const machine = makeMachine(t, { CRFS_BACKGROUND: 'off', CRFS_READAHEAD: '0' });
  const tars = machine.directory('tars');
  const [base, top] = ['base.tar', 'top.tar'].map((name) => join(tars, name)) as [string, string];
  writeTar(base, [
    { name: 'read', content: READ },
    { name: 'unread', content: UNREAD },
  ]);
  writeTar(top, [{ name: 'plain', content: 'of a layer without a TOC' }]);
  const { layers, config } = await imageOf([base], {});
  const plain = blobOf('application/vnd.oci.image.layer.v1.tar+gzip', gzip(readFileSync(top)));
  const { rootfs, ...rest } = JSON.parse(String(config.bytes));
  const diffIds = [...rootfs.diff_ids, sha256(readFileSync(top))];
  const all = Buffer.from(JSON.stringify({ ...rest, rootfs: { ...rootfs, diff_ids: diffIds } }));
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  await pushImage({ layers: [...layers, plain], config: blobOf(config.mediaType, all) }, `${registry.host}/img:1`);
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(() => proxy.close());
  const name = `${proxy.host}/img:1`;
  const merged = machine.directory('merged');
  t.teardown(() => run('umount', ['-q', merged]).catch(() => undefined));
  t.is((await invoke(machine, ['mount', name, 'merged'])).code, 0);
  t.is(await readFile(join(merged, 'read'), 'utf8'), READ);
  t.is((await invoke(machine, ['umount', 'merged'])).code, 0);
  await until('the daemon has let go of it', async () => (await machine.status())?.layers.length === 0);
  proxy.reset();
  return { machine, proxy, name };
}

const LISTED = 'plain\nread\nunread\n';

test('what was mounted before is looked into without reading its layers again', async (t) => {
  const { machine, proxy, name } = await mountedBefore(t);
  t.deepEqual(await invoke(machine, ['ls', name]), { code: 0, stdout: LISTED, stderr: '' });
  t.is((await invoke(machine, ['stat', name, '/plain'])).code, 0);
  t.is((await invoke(machine, ['cat', name, '/read'])).stdout, READ);
  t.deepEqual(
    proxy.seen.filter(({ path }) => path.includes('/blobs/')),
    [],
  );
  for (const object of objectsOf(machine)) writeFileSync(object, Buffer.alloc(readFileSync(object).length));
  t.is((await invoke(machine, ['cat', name, '/read'])).stdout, READ, 'what is wrong in the cache is fetched');
  const indexes = join(machine.objects, '../index');
  for (const index of readdirSync(indexes).map((one) => join(indexes, one))) {
    const renamed = readFileSync(index, 'latin1').replaceAll('read', 'dear'); // which no rule of an index is against
    writeFileSync(index, renamed, 'latin1');
  }
  t.deepEqual(await invoke(machine, ['ls', name]), { code: 0, stdout: LISTED, stderr: '' });
});

test('what was mounted before can be looked into without its registry, as far as the cache has it', async (t) => {
  const { machine, proxy, name } = await mountedBefore(t);
  await proxy.close();
  const { code, stdout, stderr } = await invoke(machine, ['ls', name]);
  t.deepEqual([code, stdout], [0, LISTED]);
  t.regex(stderr, /^crfs: .*: taken as it was seen last, docker:\S+@sha256:[0-9a-f]{64}\n$/);
  t.is((await invoke(machine, ['cat', name, '/read'])).stdout, READ);
  const unread = await invoke(machine, ['cat', name, '/unread']);
  t.deepEqual([unread.code, unread.stdout], [1, '']);
  t.regex(unread.stderr, /\ncrfs: \/unread is not in the cache: [^\n]+\n$/);
  t.like(JSON.parse((await invoke(machine, ['stat', '--json', name, '/unread'])).stdout), { size: UNREAD.length });
  const inspected = JSON.parse((await invoke(machine, ['inspect', '--json', name])).stdout);
  t.is(inspected.config, null);
  t.deepEqual(
    inspected.layers.map(({ lazy, format }: Record<string, unknown>) => [lazy, format]),
    [
      [true, 'estargz'],
      [true, 'plain gzip'],
    ],
  );
});

test('a layer in a file that was mounted before is not read again', async (t) => {
  const machine = makeMachine(t);
  const tar = join(machine.directory('tars'), 'a.tar');
  writeTar(tar, [{ name: 'a', content: 'content' }]);
  writeFileSync(join(machine.root, 'a.tar.gz'), gzip(readFileSync(tar)));
  const laziness = async (): Promise<unknown> =>
    JSON.parse((await invoke(machine, ['inspect', '--json', './a.tar.gz'])).stdout).layers[0].lazy;
  t.false(await laziness());
  const mount = await machine.mount([join(machine.root, 'a.tar.gz')]);
  await mount.unmount();
  t.true(await laziness());
  t.is((await invoke(machine, ['cat', './a.tar.gz', '/a'])).stdout, 'content');
});

/** The files in the cache that have contents of files. */
function objectsOf(machine: Machine): string[] {
  return readdirSync(machine.objects, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
}
