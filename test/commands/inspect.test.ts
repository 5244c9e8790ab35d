// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { noise } from '../tools/content.js';
import { imageOf } from '../tools/image.js';
import { mountingTest, until } from '../tools/machine.js';
import { startRegistry } from '../tools/registry.js';
import { blobOf, makeImage, pushImage, type TestImage } from '../tools/registry-image.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { invoke, layerOf, makeMachine, imageOf as pushedImage, registryTest, SMALL } from './setting.js';

const CONFIG = {
  Entrypoint: ['/bin/echo', 'a b'],
  Cmd: ['c'],
  Env: ['PATH=/bin', 'EVIL=\x1b[2J'],
  User: '1000:100',
  WorkingDir: '/srv',
  Volumes: { '/data': {}, '/more': {} },
  ExposedPorts: { '80/tcp': {} },
  StopSignal: 'SIGINT',
  Labels: { kept: 'yes' },
};

registryTest('inspect shows config, digests and layers, which are lazy and which not', async (t) => {
  const machine = makeMachine(t);
  const tar = join(machine.root, 'base.tar');
  writeTar(tar, SMALL);
  const lazy = await imageOf([tar], {}, CONFIG);
  const plain = await makeImage(1, 1000);
  const text = Buffer.from(
    String(lazy.config.bytes).replace('"diff_ids":[', `"diff_ids":[${`"sha256:${'0'.repeat(64)}",`.repeat(2)}`),
  );
  const none = blobOf(plain.layers[0]?.mediaType ?? '', Buffer.from('\xfd7zXZ\0no layer', 'latin1')); // skopeo compresses what it knows no compression of;
  const layers = [...lazy.layers, ...plain.layers, none];
  const image: TestImage = { layers, config: blobOf(lazy.config.mediaType, text) };
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const name = `${registry.host}/img:1`;
  await pushImage(image, name);
  const manifest = await run('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${name}`]);
  const digest = `sha256:${createHash('sha256').update(manifest).digest('hex')}`;
  const [base, middle, top] = image.layers;
  t.deepEqual((await invoke(machine, ['inspect', name])).stdout.split('\n'), [
    `name         docker://${registry.host}/img:1`,
    `manifest     ${digest}`,
    `config       ${image.config.digest}`,
    'platform     linux/amd64',
    'entrypoint   ["/bin/echo","a b"]',
    'cmd          ["c"]',
    'env          PATH=/bin',
    '             EVIL=\\u001b[2J',
    'user         1000:100',
    'workdir      /srv',
    'volumes      /data',
    '             /more',
    'ports        80/tcp',
    'stop signal  SIGINT',
    'labels       kept=yes',
    '',
    'LAYER  DIGEST        FORMAT      LAZY       SIZE     CACHED',
    `1      ${base?.digest.slice(7, 19)}  estargz     yes        ${((base?.size ?? 0) / 1024).toFixed(1)} KiB  -`,
    `2      ${middle?.digest.slice(7, 19)}  plain gzip  once read  ${((middle?.size ?? 0) / 1024).toFixed(1)} KiB  -`,
    `3      ${top?.digest.slice(7, 19)}  -           no         14 B     -`,
    'What is lazy once read has no TOC: its first mount here reads all of it.',
    'What is not lazy cannot be mounted: `crfs stargzify` converts the image.',
    '',
  ]);
  const told = JSON.parse((await invoke(machine, ['inspect', '--json', name])).stdout);
  t.like(told, { digest, resolved: `docker://${registry.host}/img@${digest}` });
  t.like(told.config, {
    entrypoint: CONFIG.Entrypoint,
    env: CONFIG.Env,
    volumes: ['/data', '/more'],
    user: '1000:100',
  });
  t.like(told.layers[0], { lazy: true, format: 'estargz', why: null, cached: { bytes: 0, indexed: false } });
  t.like(told.layers[1], { lazy: false, mountable: true, format: 'plain gzip', why: null });
  t.like(told.layers[2], { lazy: false, mountable: false, format: null, number: 3, size: top?.size });
  t.regex(told.layers[2].why, /no layer that can be mounted/);
  t.is(await machine.status(), null, 'no daemon was started');
});

registryTest('inspect shows layers that are no image, and images on disk', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  t.regex(
    (await invoke(machine, ['inspect', layer])).stdout,
    /^name +\/.*\n\nLAYER .*\n1 +\/.*esgz +estargz +yes +[\d.]+ KiB +-\n$/,
  );
  const { name } = await pushedImage(t, [join(machine.root, 'small.tar')]);
  await run('skopeo', [
    '--insecure-policy',
    'copy',
    '-q',
    '--src-tls-verify=false',
    `docker://${name}`,
    `oci:${machine.root}/oci:1`,
  ]);
  const told = JSON.parse((await invoke(machine, ['inspect', '--json', 'oci:oci:1'])).stdout);
  t.like(told, { name: 'oci:oci:1', resolved: 'oci:oci:1', archive: false });
  t.regex(told.digest, /^sha256:/);
  t.is(told.layers[0].lazy, true);
  await run('skopeo', [
    '--insecure-policy',
    'copy',
    '-q',
    `oci:${machine.root}/oci:1`,
    `docker-archive:${machine.root}/tar`,
  ]);
  t.regex(
    (await invoke(machine, ['inspect', 'docker-archive:tar'])).stdout,
    /\n1 +[0-9a-f]{12} +\S.*  -  +\d.*\nWhat is in an archive is not mounted: .*\n$/,
  );
});

registryTest('inspect refuses a config that is broken, with what is wrong', async (t) => {
  const machine = makeMachine(t);
  const { layers } = await makeImage(1, 1000);
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const text = Buffer.from(
    '{"os":"linux","architecture":"amd64","config":{"Env":"PATH=/bin"},"rootfs":{"type":"layers","diff_ids":[]}}',
  );
  await pushImage(
    { layers, config: blobOf('application/vnd.oci.image.config.v1+json', text) },
    `${registry.host}/img:1`,
  );
  const { code, stderr } = await invoke(machine, ['inspect', `${registry.host}/img:1`]);
  t.is(code, 1);
  t.regex(stderr, /^crfs: the config of docker:\S+ is broken: config\.Env must be a list, not "PATH=\/bin"\n$/);
});

mountingTest()('inspect tells how much of a layer the cache has', async (t) => {
  const machine = makeMachine(t, { CRFS_BACKGROUND: 'off' });
  const tar = join(machine.root, 'image.tar');
  writeTar(tar, [{ name: 'noise', content: noise(5_000_000) }]);
  const { name } = await pushedImage(t, [tar]);
  const merged = machine.directory('merged');
  t.teardown(() => run('umount', ['-q', merged]).catch(() => undefined));
  t.is((await invoke(machine, ['mount', name, 'merged'])).code, 0);
  const cached = async (): Promise<string> =>
    (await invoke(machine, ['inspect', name])).stdout.match(/(\S+)\n$/)?.[1] ?? '';
  t.regex(await cached(), /^[1-9]\d?%$/);
  readFileSync(join(merged, 'noise'));
  await until('all of it is in the cache', async () => (await cached()) === '100%');
  t.is((await invoke(machine, ['umount', 'merged'])).code, 0);
});
