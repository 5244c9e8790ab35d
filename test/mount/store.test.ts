// SPDX-License-Identifier: GPL-3.0-or-later

/** `crfs store`, as containers-storage uses it: by a client that does what that does, of podman up to 5.0 and from 5.1 on. */

import { access, chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Host } from '../../src/main/mount/hosts.js';
import { layerPath, lookUpLayer, noteRelease, noteUse } from '../tools/containers-storage.js';
import { extractTar } from '../tools/extract.js';
import { Gate } from '../tools/gate.js';
import { crfs, mountingTest, toldAlone, until, whyNoMounts } from '../tools/machine.js';
import { missing } from '../tools/registry.js';
import { makeImage, pushImage } from '../tools/registry-image.js';
import { run } from '../tools/run.js';
import { type StoreSetting, storeSetting } from '../tools/store.js';
import { compareTrees, describeTree } from '../tools/tree.js';
import { pushZstdChunked } from '../tools/zstd-chunked.js';

const mounting = mountingTest(whyNoMounts() ?? missing[0]);

const TOC_DIGEST = 'containerd.io/snapshot/stargz/toc.digest';

/** By which digest podman asks for a layer, of the image's layers, the base first. */
const schemes = {
  'the digest of its blob': ({ image }: StoreSetting) => image.layers.map(({ digest }) => digest),
  'the digest of its TOC': ({ image }: StoreSetting) =>
    image.layers.map(({ annotations }) => annotations?.[TOC_DIGEST] ?? ''),
};

/** Paths in a store, as podman's overlay has them: without what separates its lower directories. */
async function linksTo(setting: StoreSetting, paths: readonly string[]): Promise<string[]> {
  const directory = setting.machine.directory('l');
  return await Promise.all(
    paths.map(async (path, n) => {
      const link = join(directory, `${n}`);
      await symlink(join(path, 'diff'), link);
      return link;
    }),
  );
}

/** What fuse-overlayfs makes of the layers, extracted. */
async function expectedTree({ machine, tars }: StoreSetting): Promise<Awaited<ReturnType<typeof describeTree>>> {
  const lowers: string[] = [];
  for (const [n, tar] of tars.entries()) {
    const directory = machine.directory(`extracted-${n}`);
    await extractTar(tar, directory);
    lowers.unshift(directory);
  }
  const mount = await machine.mount(lowers);
  return await describeTree(mount.merged);
}

/** Mounts something over layers of a store, and compares what it shows. */
async function compareStacked(
  t: ExecutionContext,
  setting: StoreSetting,
  paths: readonly string[],
  mount: (lowers: string, merged: string) => readonly [string, ...string[]],
): Promise<void> {
  const merged = join(setting.machine.root, 'merged');
  await mkdir(merged);
  const [program, ...args] = mount((await linksTo(setting, paths)).toReversed().join(':'), merged);
  await run(program, args);
  t.teardown(() => run('umount', [merged]).catch(() => undefined));
  const shown = await describeTree(merged);
  await run('umount', [merged]);
  t.deepEqual(compareTrees(shown, await expectedTree(setting), { ignoreMtimeOf: ['.'] }), []);
}

for (const [by, digestsOf] of Object.entries(schemes)) {
  mounting(`a layer is found by ${by}, with what containers-storage needs of it`, async (t) => {
    const setting = await storeSetting(t);
    const { image, store, reference } = setting;
    const config = JSON.parse(image.config.bytes.toString()) as { rootfs: { diff_ids: string[] } };
    for (const [n, digest] of digestsOf(setting).entries()) {
      const found = await lookUpLayer(layerPath(store, digest, reference));
      const [blob, diffId] = [image.layers[n], config.rootfs.diff_ids[n]];
      t.like(
        found?.info,
        by === 'the digest of its TOC'
          ? { 'toc-digest': digest, 'diff-size': -1, compression: 2, flags: { 'expected-layer-diffid': diffId } }
          : {
              'compressed-diff-digest': digest,
              'compressed-size': blob?.size,
              'diff-digest': diffId,
              compression: 2,
            },
      );
      t.deepEqual(await readFile(join(found?.path ?? '', 'blob')), blob?.bytes);
    }
    await t.throwsAsync(access(layerPath(store, digestsOf(setting)[0] ?? '', `${reference}2`)), { code: 'ENOENT' });
    await t.throwsAsync(access(layerPath(store, `sha256:${'0'.repeat(64)}`, reference)), { code: 'ENOENT' });
  });
}

mounting('a layer in zstd:chunked is found by either digest, and read', async (t) => {
  const { machine, store, registry, proxy, tars } = await storeSetting(t);
  await pushZstdChunked(tars, `${registry.host}/zstd:1`, machine.directory('plain'));
  const inspect = ['inspect', '--raw', '--tls-verify=false', `docker://${registry.host}/zstd:1`];
  const { layers } = JSON.parse(String(await run('skopeo', inspect))) as {
    layers: { digest: string; annotations: Record<string, string> }[];
  };
  const [base] = layers;
  const tocDigest = base?.annotations['io.containers.zstd-chunked.manifest-checksum'] ?? '';
  const reference = `${proxy.host}/zstd:1`;
  t.like((await lookUpLayer(layerPath(store, base?.digest ?? '', reference)))?.info, { compression: 4 });
  const found = await lookUpLayer(layerPath(store, tocDigest, reference));
  t.like(found?.info, { 'toc-digest': tocDigest, compression: 4 });
  t.is(await readFile(join(found?.path ?? '', 'diff/etc/kept'), 'utf8'), 'of the base\n');
});

mounting('nobody but its owner finds anything in a store, and nothing is asked of a registry for others', async (t) => {
  const { machine, store, image, reference, proxy } = await storeSetting(t);
  const path = layerPath(store, image.layers[0]?.digest ?? '', reference);
  await chmod(machine.root, 0o755);
  const look = ['stat', '--format', '%F', path];
  const other = run('setpriv', ['--reuid', '12345', '--regid', '12345', '--clear-groups', ...look]);
  await t.throwsAsync(other, { message: /Permission denied/ });
  t.deepEqual(proxy.seen, []);
  t.is(String(await run('stat', ['--format', '%F', path])), 'directory\n');
});

mounting("the kernel's overlay shows layers of a store as one image", async (t) => {
  const setting = await storeSetting(t);
  const paths = setting.image.layers.map(({ digest }) => layerPath(setting.store, digest, setting.reference));
  for (const path of paths) t.truthy(await lookUpLayer(path));
  await compareStacked(t, setting, paths, (lowers, merged) => {
    return ['mount', '-t', 'overlay', '-o', `lowerdir=${lowers}`, 'overlay', merged];
  });
});

mounting('fuse-overlayfs shows layers of a store as one image', async (t) => {
  const setting = await storeSetting(t);
  const paths = setting.image.layers.map(({ digest }) => layerPath(setting.store, digest, setting.reference));
  for (const path of paths) t.truthy(await lookUpLayer(path));
  await compareStacked(t, setting, paths, (lowers, merged) => {
    return ['fuse-overlayfs', '-o', `lowerdir=${lowers}`, merged];
  });
});

mounting('a layer that is not lazy is none for a store, and nothing is fetched of it', async (t) => {
  const { registry, proxy, store } = await storeSetting(t);
  const plain = await makeImage(2, 1000);
  await pushImage(plain, `${registry.host}/plain:1`);
  for (const { digest } of plain.layers) {
    t.is(await lookUpLayer(layerPath(store, digest, `${proxy.host}/plain:1`)), undefined);
  }
  t.true(proxy.seen.some(({ path }) => path.endsWith('/plain/manifests/1')));
  t.false(proxy.seen.some(({ path }) => path.includes('/blobs/')));
});

mounting(
  'a layer without a TOC is found once its index is here, and again where that was lost while it is used',
  async (t) => {
    const setting = await storeSetting(t);
    const { machine, registry, proxy, store } = setting;
    const plain = await makeImage(1, 1000);
    await pushImage(plain, `${registry.host}/plain:1`);
    const [{ digest, size } = { digest: '', size: 0 }] = plain.layers;
    const config = JSON.parse(plain.config.bytes.toString()) as { rootfs: { diff_ids: string[] } };
    const path = layerPath(store, digest, `${proxy.host}/plain:1`);
    await machine.crfs('prefetch', `${proxy.host}/plain:1`);
    const facts = {
      'compressed-diff-digest': digest,
      'compressed-size': size,
      'diff-digest': config.rootfs.diff_ids[0],
    };
    t.like((await lookUpLayer(path))?.info, facts);
    t.is((await readFile(join(path, 'diff/file-0'))).length, 1000);
    await noteUse(path);
    await run('umount', [store]);
    await machine.stop();
    await rm(join(machine.objects, '../index'), { recursive: true });
    await mkdir(join(machine.objects, '../index'));
    await setting.mountStore();
    t.like((await lookUpLayer(path))?.info, facts);
  },
);

mounting('whoever asks waits no longer for a registry than is patient, and finds the layer later', async (t) => {
  const { image, proxy, store, reference } = await storeSetting(t, '--patience', '100ms');
  const gate = new Gate();
  t.teardown(() => gate.open());
  proxy.fault = () => ({ kind: 'hold', gate });
  const path = layerPath(store, image.layers[0]?.digest ?? '', reference);
  t.is(await lookUpLayer(path), undefined); // or it would wait for ever
  t.is(await lookUpLayer(path), undefined);
  gate.open();
  let found = await lookUpLayer(path);
  while (found === undefined) found = await lookUpLayer(path); // until it has come
  t.is((await stat(join(found.path, 'blob'))).size, image.layers[0]?.size ?? 0);
  t.is(proxy.seen.filter(({ path: asked }) => asked.endsWith('/manifests/1')).length, 1);
});

mounting('what is used is found without its image, and nothing else', async (t) => {
  const { image, store, reference } = await storeSetting(t);
  const digest = image.layers[1]?.digest ?? '';
  t.is(await lookUpLayer(layerPath(store, digest)), undefined);
  t.truthy(await lookUpLayer(layerPath(store, digest, reference)));
  t.is(await readFile(join(layerPath(store, digest), 'diff/etc/owned'), 'utf8'), 'of the layer above\n');
  const other = image.layers[0]?.digest ?? '';
  t.is(await lookUpLayer(layerPath(store, other)), undefined);
});

/** Takes a layer into use as podman does when it pulls an image: as long as it looks, and for the image. */
async function pull(
  setting: StoreSetting,
  digestsOf: (setting: StoreSetting) => string[] = schemes['the digest of its blob'],
): Promise<string[]> {
  const { store, reference } = setting;
  return await Promise.all(
    digestsOf(setting).map(async (digest) => {
      const path = layerPath(store, digest, reference);
      if ((await lookUpLayer(path)) === undefined) throw new Error(`${path} is not there`);
      await noteUse(path);
      await noteRelease(path);
      return path;
    }),
  );
}

mounting('what podman uses is listed by its image, and is not removed from the cache', async (t) => {
  const setting = await storeSetting(t);
  const { machine, reference } = setting;
  const paths = await pull(setting);
  const listed = await machine.crfs('cache', 'ls');
  t.true(listed.startsWith(`docker://${reference}\n`), listed);
  t.is(listed.match(/^ {2}[12] /gm)?.length, 2);
  const storageConf = join(machine.root, 'storage.conf');
  const [graphRoot, runRoot] = [machine.directory('graph'), machine.directory('run')];
  await writeFile(storageConf, `[storage]\ndriver="vfs"\ngraphroot="${graphRoot}"\nrunroot="${runRoot}"\n`);
  const env = { ...machine.env, CONTAINERS_STORAGE_CONF: storageConf }; // a podman that cannot tell what it uses of a store
  const refused = await t.throwsAsync(run(crfs, ['cache', 'rm', reference], { env }));
  t.regex(refused?.message ?? '', /podman uses docker:\S+, out of a store: remove it with `podman rmi` first/);
  for (const path of paths) await noteRelease(path);
  await run('umount', [setting.store]);
  await machine.stop();
  t.regex(await machine.crfs('cache', 'rm', reference), /: removed 2 layers, /);
  t.is(await machine.crfs('cache', 'ls'), 'The cache holds no image.\n');
});

mounting(
  'a store is told of by status and umount, asked or not, with a daemon or without, and stays with --all',
  async (t) => {
    const setting = await storeSetting(t);
    const { machine, store } = setting;
    const stays = `crfs: ${store} is a store, and stays: \`crfs umount ${store}\` takes it away\n`;
    t.regex(
      await machine.crfs('status'),
      new RegExp(`^Stores of which nothing is used:\nMOUNTPOINT +PID\n${store} +\\d+$`, 'm'),
    );
    const { unusedStores } = JSON.parse(await machine.crfs('status', '--json')) as { unusedStores: Host[] };
    t.deepEqual(
      unusedStores.map(({ mountpoint }) => mountpoint),
      [store],
    );
    t.is(await toldAlone(machine, 'umount', '--all'), stays);
    const paths = await pull(setting);
    t.false((await machine.crfs('status')).includes('of which nothing is used'));
    t.is(await toldAlone(machine, 'umount', '--all'), stays);
    await machine.stop();
    t.is(await toldAlone(machine, 'umount', '--all'), stays);
    const told = String(await run('sh', ['-c', 'exec "$@" 2>&1', 'sh', crfs, 'umount', store], { env: machine.env }));
    const again = `its images start again when \`crfs store ${store}\` is there`;
    t.is(told, `${store}: unmounted\ncrfs: warning: podman has 2 layers from it: ${again}\n`);
    t.is(await toldAlone(machine, 'umount', '--all'), 'Nothing is mounted.\n');
    await setting.mountStore();
    for (const path of paths) await noteRelease(path);
    await until('nothing of it is used', async () =>
      (await machine.crfs('status')).includes(`\nStores of which nothing is used:\nMOUNTPOINT`),
    );
    t.is(
      String(await run('sh', ['-c', 'exec "$@" 2>&1', 'sh', crfs, 'umount', store], { env: machine.env })),
      `${store}: unmounted\n`,
    );
  },
);

for (const [by, digestsOf] of Object.entries(schemes)) {
  mounting(
    `what is used by ${by} is there after a restart of everything, without its registry, and its tag moved`,
    async (t) => {
      const setting = await storeSetting(t);
      const { machine, registry, proxy, reference, store, image } = setting;
      const paths = await pull(setting, digestsOf);
      const [base = '', above = ''] = paths;
      t.is(await readFile(join(base, 'diff/etc/kept'), 'utf8'), 'of the base\n');
      await pushImage(await makeImage(1, 10), `${registry.host}/img:1`);
      const other = layerPath(store, `sha256:${'0'.repeat(64)}`, reference);
      t.is(await lookUpLayer(other), undefined); // by what the tag stands for now
      await registry.stop();
      await proxy.close();
      await machine.crfs('umount', store);
      await machine.stop();
      await setting.mountStore();
      t.is(await readFile(join(base, 'diff/etc/kept'), 'utf8'), 'of the base\n');
      t.deepEqual((await readdir(join(above, 'diff/opaque'))).sort(), ['new']);
      t.is((await stat(join(above, 'blob'))).size, image.layers[1]?.size ?? 0);
      await machine.crfs('umount', store);
      await machine.stop();
      await machine.crfs('cache', 'clear');
      await setting.mountStore();
      t.deepEqual((await readdir(join(above, 'diff/opaque'))).sort(), ['new']); // names, at least
      for (const path of paths) await noteRelease(path);
      await machine.crfs('umount', store);
      await machine.stop();
      await setting.mountStore();
      await t.throwsAsync(access(join(above, 'diff')), { code: 'ENOENT' });
    },
  );
}

mounting('the daemon lets go of what is not used any more, until it is read again', async (t) => {
  const setting = await storeSetting(t);
  const { machine } = setting;
  const paths = await pull(setting);
  t.is((await machine.status())?.layers.length, 2);
  for (const path of paths) await noteRelease(path);
  await until('no layer is in use', async () => (await machine.status())?.layers.length === 0);
  t.is(await readFile(join(paths[0] ?? '', 'diff/etc/kept'), 'utf8'), 'of the base\n');
  t.is((await machine.status())?.layers.length, 2); // with its sibling
});

mounting('a store goes on when its daemon is killed', async (t) => {
  const setting = await storeSetting(t);
  const { machine, store, reference, image } = setting;
  const path = layerPath(store, image.layers[0]?.digest ?? '', reference);
  await lookUpLayer(path);
  process.kill((await machine.status())?.pid ?? 0, 'SIGKILL');
  t.is(await readFile(join(path, 'diff/etc/kept'), 'utf8'), 'of the base\n');
  t.deepEqual(await readFile(join(path, 'blob')), image.layers[0]?.bytes);
  process.kill((await machine.status())?.pid ?? 0, 'SIGKILL');
  await pull(setting);
  const uses = (await machine.status())?.stores?.flatMap(({ images }) => images);
  t.deepEqual(
    uses?.map(({ name, layers }) => [name, layers.map((layer) => layer.uses).sort((a, b) => a - b)]),
    [[`docker://${reference}`, [1, 2]]],
  );
});

mounting('a store whose server was killed is unmounted, and mounted again', async (t) => {
  const setting = await storeSetting(t);
  const { machine, store } = setting;
  const [path = ''] = await pull(setting);
  process.kill((await machine.status())?.stores?.[0]?.pid ?? 0, 'SIGKILL');
  await until(
    'nobody serves it',
    async () => (await readdir(store).catch(({ code }) => code as string)) === 'ENOTCONN',
  );
  await machine.crfs('umount', store);
  await setting.mountStore();
  t.is(await readFile(join(path, 'diff/etc/kept'), 'utf8'), 'of the base\n');
});
