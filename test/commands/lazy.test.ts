// SPDX-License-Identifier: GPL-3.0-or-later

/** Layers without a TOC at the command line: what is told while one is read as a whole, and who is refused one. */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { gzip } from '../tools/compressed-stream.js';
import { noise } from '../tools/content.js';
import { bytesBefore, startFaultProxy } from '../tools/fault-proxy.js';
import { Gate } from '../tools/gate.js';
import { imageOf } from '../tools/image.js';
import { type Machine, mountingTest, until, whyNoMounts } from '../tools/machine.js';
import { sha256 } from '../tools/read-layer.js';
import { missing, startRegistry } from '../tools/registry.js';
import { type Blob, blobOf, pushImage } from '../tools/registry-image.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { invoke, makeMachine, start, startOnTerminal } from './setting.js';

const test = mountingTest(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

const MIB = 1 << 20;
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

/** An image of a layer in eStargz, and of one without a TOC above it, behind a proxy. */
async function mixedImage(t: ExecutionContext, machine: Machine) {
  const tars = machine.directory('tars');
  const [base, top] = ['base.tar', 'top.tar'].map((name) => join(tars, name)) as [string, string];
  writeTar(base, [{ name: 'base', content: 'of the base' }]);
  writeTar(top, [{ name: 'top', content: noise(3 * MIB) }]);
  const { layers, config } = await imageOf([base], {});
  const plain = blobOf(LAYER, gzip(readFileSync(top)));
  const { rootfs, ...rest } = JSON.parse(String(config.bytes));
  const diffIds = [...rootfs.diff_ids, sha256(readFileSync(top))];
  const all = Buffer.from(JSON.stringify({ ...rest, rootfs: { ...rootfs, diff_ids: diffIds } }));
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  await pushImage({ layers: [...layers, plain], config: blobOf(config.mediaType, all) }, `${registry.host}/mixed:1`);
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(() => proxy.close());
  const merged = machine.directory('merged');
  t.teardown(() => run('umount', ['-q', merged]).catch(() => undefined));
  return { proxy, name: `${proxy.host}/mixed:1`, plain, merged };
}

/** Holds a layer up in its middle; its end is where a TOC would be. */
function holdMiddle({ proxy, plain }: { proxy: Awaited<ReturnType<typeof startFaultProxy>>; plain: Blob }): Gate {
  const gate = new Gate();
  proxy.fault = (seen) => {
    const first = Number(/^bytes=(\d+)-/.exec(seen.headers.range ?? '')?.[1] ?? 0);
    if (!seen.path.endsWith(plain.digest) || first >= plain.size / 2) return undefined;
    return { kind: 'hold', gate, after: bytesBefore(MIB, seen) };
  };
  return gate;
}

test('whoever waits for a layer to be read as a whole is told so, once where there is no terminal', async (t) => {
  const machine = makeMachine(t);
  const image = await mixedImage(t, machine);
  const gate = holdMiddle(image);
  t.teardown(() => gate.open());
  const line = `reading all of layer ${image.plain.digest.slice(0, 'sha256:'.length + 12)}`;
  const child = start(machine, ['mount', image.name, 'merged']);
  let said = '';
  child.stderr.on('data', (bytes) => {
    said += String(bytes);
  });
  await until('a line tells it', () => said.endsWith('\n'));
  t.is(said, `${line}, ${(image.plain.size / MIB).toFixed(1)} MiB\n`);
  const [mount] = (await machine.status())?.mounts ?? [];
  t.like(mount?.reading?.[0], { name: `layer ${image.plain.digest}`, size: image.plain.size });
  t.is(mount?.reading?.length, 1);
  t.regex((await invoke(machine, ['status'])).stdout, new RegExp(`${line}, .*: \\d+% fetched, \\d+% read$`, 'm'));
  gate.open();
  t.is((await once(child, 'close'))[0], 0);
  t.is(said.split('\n').length, 2);
  t.is((await invoke(machine, ['umount', 'merged'])).code, 0);
});

test('whoever looks into a layer without a TOC is told that all of it is read', async (t) => {
  const machine = makeMachine(t);
  const image = await mixedImage(t, machine);
  const gate = holdMiddle(image);
  t.teardown(() => gate.open());
  const child = start(machine, ['ls', image.name]);
  let said = '';
  child.stderr.on('data', (bytes) => {
    said += String(bytes);
  });
  await until('a line tells it', () => said.endsWith('\n'));
  t.regex(
    said,
    new RegExp(
      `^crfs: layer ${image.plain.digest.slice(0, 'sha256:'.length + 12)}, 3\\.\\d MiB, has no TOC, .* read each time; ` +
        `\`crfs index docker://${image.name}\` ends that\n$`,
    ),
  );
  gate.open();
  t.is((await once(child, 'close'))[0], 0);
});

test('at a terminal, a bar shows how far a layer was read that is prefetched', async (t) => {
  const machine = makeMachine(t);
  const image = await mixedImage(t, machine);
  const gate = holdMiddle(image);
  t.teardown(() => gate.open());
  const child = startOnTerminal(machine, ['prefetch', image.name], { columns: 120 });
  let screen = '';
  child.stdout.on('data', (bytes) => {
    screen += String(bytes);
  });
  const bar = /reading all of layer sha256:[0-9a-f]{12} \[=+-+\] [\d.]+ (KiB|MiB) of 3\.\d MiB/;
  await until('a bar shows it', () => bar.test(screen));
  gate.open();
  t.is((await once(child, 'close'))[0], 0);
  t.regex(screen, /2 layers, .*, all here/);
});

test('a layer without a TOC is refused where that is wanted, as long as no index of it is here', async (t) => {
  const machine = makeMachine(t, { CRFS_BACKGROUND: 'off' });
  const { name, merged, plain } = await mixedImage(t, machine);
  const mount = async (lazy: string): Promise<string> => {
    const { code, stderr } = await invoke(machine, ['mount', '--lazy', lazy, name, merged]);
    return `${code} ${stderr}`;
  };
  const inspected = async (): Promise<unknown> => {
    const { layers } = JSON.parse((await invoke(machine, ['inspect', '--json', name])).stdout);
    return layers.map(({ lazy, mountable, format }: Record<string, unknown>) => [lazy, mountable, format]);
  };
  t.regex(await mount('require'), new RegExp(`^1 crfs: .*layer ${plain.digest}: has no TOC.*crfs stargzify.*\n$`));
  t.deepEqual(await inspected(), [
    [true, true, 'estargz'],
    [false, true, 'plain gzip'],
  ]);
  t.regex(await mount('index'), /^0 /);
  t.is(await readFile(join(merged, 'base'), 'utf8'), 'of the base');
  t.is((await readFile(join(merged, 'top'))).length, 3 * MIB);
  t.is((await invoke(machine, ['umount', 'merged'])).code, 0);
  t.deepEqual(await inspected(), [
    [true, true, 'estargz'],
    [true, true, 'plain gzip'],
  ]);
  t.is(await mount('require'), '0 ');
  t.is((await invoke(machine, ['umount', 'merged'])).code, 0);
});
