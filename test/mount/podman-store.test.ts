// SPDX-License-Identifier: GPL-3.0-or-later

/** The real podman with `crfs store` as its additional layer store: by root, and by an ordinary user. */

import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { ExecutionContext } from 'ava';
import type { Status } from '../../src/main/daemon/status.js';
import { type FaultProxy, startFaultProxy } from '../tools/fault-proxy.js';
import { imageOf } from '../tools/image.js';
import { type Machine, mountingTest, until, whyNoMounts } from '../tools/machine.js';
import { asUser, inNamespace, podmanMachine, tarOfPrograms, whyNoPodman } from '../tools/podman.js';
import { type Registry, startRegistry } from '../tools/registry.js';
import { pushImage, type TestImage } from '../tools/registry-image.js';
import { writeTar } from '../tools/tar-writer.js';

const test = mountingTest(whyNoMounts() ?? whyNoPodman());

const CONFIG = {
  Entrypoint: ['/bin/sh', '-c'],
  Cmd: ['echo "$GREETING from $(pwd) as $(id -u):$(id -g), $(cat part-4)"'],
  Env: ['PATH=/bin', 'GREETING=hello'],
  User: '1000:100',
  WorkingDir: '/data',
  Volumes: { '/kept': {} },
};
const SAID = 'hello from /data as 1000:100, part 4\n';
/** What no container reads of the image. */
const UNREAD = 24 << 20;

interface Setting {
  readonly machine: Machine;
  readonly registry: Registry;
  readonly proxy: FaultProxy;
  readonly image: TestImage;
}

/** A machine whose podman knows of a store, and an image of five layers, lazy as `img:1` and not as `plain:1`. */
async function setting(t: ExecutionContext): Promise<Setting> {
  const machine = podmanMachine(t);
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const proxy = await startFaultProxy({ upstream: registry.url });
  t.teardown(() => proxy.close());
  const programs = await tarOfPrograms(machine, ['/bin/sh', '/bin/id', '/bin/cat', '/bin/ls']);
  const parts = [1, 2, 3, 4].map((n) => {
    const path = join(machine.directory('tars'), `part-${n}.tar`);
    writeTar(path, [
      { name: 'data/', type: '5', mode: 0o755 },
      { name: `data/part-${n}`, content: `part ${n}\n` },
      ...(n === 2 ? [{ name: 'data/unread', content: randomBytes(UNREAD) }] : []),
    ]);
    return path;
  });
  const image = withSizes(await imageOf([programs, ...parts], {}, CONFIG));
  await pushImage(image, `${registry.host}/img:1`);
  const layers = image.layers.map((layer) => ({ ...layer, annotations: {} }));
  await pushImage({ ...image, layers }, `${registry.host}/plain:1`);
  configure(machine, proxy.host);
  return { machine, registry, proxy, image };
}

/** The same image, whose manifest tells the sizes of tars, as that of any converter does. */
function withSizes(image: TestImage): TestImage {
  const layers = image.layers.map((layer) => {
    const size = gunzipSync(layer.bytes).length;
    return { ...layer, annotations: { ...layer.annotations, 'io.containers.estargz.uncompressed-size': `${size}` } };
  });
  return { ...image, layers };
}

/** podman's storage and registries, and the variables of the scripts. */
function configure(machine: Machine, host: string): void {
  const store = machine.directory('user/store');
  const storage = join(machine.root, 'storage.conf');
  writeFileSync(
    storage,
    `[storage]
driver = "overlay"
graphroot = "${machine.directory('home/graph')}"
runroot = "${machine.directory('run/containers')}"
[storage.options]
additionallayerstores = ["${store}:ref"]
`,
  );
  const registries = join(machine.root, 'registries.conf');
  writeFileSync(registries, `[[registry]]\nlocation = "${host}"\ninsecure = true\n`);
  for (const path of [storage, registries]) chmodSync(path, 0o644);
  Object.assign(machine.env, {
    CONTAINERS_STORAGE_CONF: storage,
    CONTAINERS_REGISTRIES_CONF: registries,
    CRFS_BACKGROUND: 'off',
    store,
    image: `${host}/img:1`,
    plain: `${host}/plain:1`,
    copy: `${host}/copy:1`,
  });
}

/** Ends what a script has begun, however that ends. */
const END = `trap 'crfs umount --lazy $store >/dev/null 2>&1; crfs stop >/dev/null' EXIT
`;

async function asRoot(machine: Machine, script: string): Promise<string> {
  return await inNamespace(machine, 'true', [
    'sh',
    '-ec',
    `${END}crfs store $store --patience 60m >/dev/null\n${script}`,
  ]);
}

/** What `crfs status` has told a script, in the directory of the user. */
function statusOf(machine: Machine): Status {
  return JSON.parse(readFileSync(join(machine.root, 'user/status.json'), 'utf8')) as Status;
}

/** Asserts that a part of the image was fetched alone, by the status that a script has written. */
function assertLittleFetched(t: ExecutionContext, { machine, image }: Setting): void {
  const size = image.layers.reduce((sum, layer) => sum + layer.size, 0);
  const fetched = statusOf(machine).layers.reduce((sum, layer) => sum + (layer.fetched?.bytes ?? 0), 0);
  t.true(fetched > 0 && fetched < size * 0.15, `${fetched} of ${size} bytes were fetched`);
}

test('root runs an image from a store, of which little is fetched, and an ordinary one', async (t) => {
  const all = await setting(t);
  const { machine, proxy, image } = all;
  const said = await asRoot(
    machine,
    'podman run -q --rm $image; crfs status --json >status.json; podman run -q --rm $plain',
  );
  t.is(said, `${SAID}${SAID}`);
  assertLittleFetched(t, all);
  const whole = proxy.seen.filter(({ path, headers }) => path.includes('/img/blobs/') && headers.range === undefined);
  t.true(whole.every(({ path }) => path.includes(image.config.digest)));
});

/** All that people do with an image. */
const EVERYTHING = `
  podman run -q --rm $image
  podman run --rm --read-only $image
  podman run --rm --uidmap 0:100000:5000 $image
  podman run --name made --user 0 --entrypoint /bin/sh $image -c 'echo made > /made'
  podman diff made | grep /made
  podman commit -q made made >/dev/null
  podman run --rm --entrypoint /bin/cat made /made
  printf 'FROM %s\\nUSER 0\\nRUN echo built > /built\\nENTRYPOINT ["/bin/cat", "/built"]\\n' $image > Dockerfile
  podman build -q --isolation chroot -t built . >/dev/null
  podman run --rm built
  podman images --format '{{.Repository}}:{{.Tag}}' | grep -cx $image
  podman inspect --format '{{.Config.User}} {{len .RootFS.Layers}}' $image
  podman save -q -o saved.tar $image
  podman push -q $image $copy
  podman rm made >/dev/null
  podman rmi -fa >/dev/null
  podman load -q -i saved.tar >/dev/null
  podman run --rm $image
  podman system prune -af >/dev/null
  podman run -q --rm $copy
`;
const SAID_OF_ALL = `${SAID}${SAID}${SAID}A /made
made
built
1
1000:100 5
${SAID}${SAID}`;

test('root does with an image from a store what is done with images', async (t) => {
  const { machine } = await setting(t);
  t.is(await asRoot(machine, EVERYTHING), SAID_OF_ALL);
  t.deepEqual(readdirSync(join(machine.root, 'cache/crfs-plugin/v3/references')), []); // nothing is used any more
});

test('an image from a store runs after a restart of everything, with its registry gone', async (t) => {
  const { machine, registry, proxy } = await setting(t);
  const [asked, gone] = [join(machine.root, 'user/asked'), join(machine.root, 'user/gone')];
  const running = asRoot(
    machine,
    `podman run -q --rm $image; crfs umount $store >/dev/null; crfs stop >/dev/null
     touch ${asked}; until test -e ${gone}; do sleep 0.1; done
     crfs store $store >/dev/null; podman run --rm $image`,
  );
  await Promise.race([running, until('all has ended', () => existsSync(asked))]);
  await registry.stop();
  await proxy.close();
  writeFileSync(gone, '');
  t.is(await running, `${SAID}${SAID}`);
});

test('an ordinary user runs an image from a store', async (t) => {
  const all = await setting(t);
  const { machine } = all;
  const said = await asUser(
    machine,
    `podman unshare crfs store $store --patience 60m >/dev/null
     podman run -q --rm $image
     podman run --rm --read-only $image
     crfs status --json >status.json
     podman run --rm --userns=keep-id --user 1000:100 $image
     podman rmi -fa >/dev/null
     podman unshare crfs umount $store >/dev/null`,
  );
  t.is(said, `${SAID}${SAID}${SAID}`);
  assertLittleFetched(t, all);
});
