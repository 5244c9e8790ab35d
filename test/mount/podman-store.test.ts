// SPDX-License-Identifier: GPL-3.0-or-later

/** The real podman with `crfs store` as its additional layer store: by root, and by an ordinary user. */

import type { ExecutionContext } from 'ava';
import { Gate } from '../tools/gate.js';
import { mountingTest, whyNoMounts } from '../tools/machine.js';
import { asUser, podmanMachine, whyNoPodman } from '../tools/podman.js';
import {
  asRoot,
  atPause,
  BY_USER,
  configure,
  hasReadAll,
  type PodmanStore,
  podmanStore,
  READER,
  references,
  SAID,
  statusOf,
} from '../tools/podman-store.js';

const test = mountingTest(whyNoMounts() ?? whyNoPodman());

/** Asserts that a part of the image was fetched alone, by the status that a script has written. */
function assertLittleFetched(t: ExecutionContext, { machine, image }: PodmanStore): void {
  const size = image.layers.reduce((sum, layer) => sum + layer.size, 0);
  const fetched = statusOf(machine).layers.reduce((sum, layer) => sum + (layer.fetched?.bytes ?? 0), 0);
  t.true(fetched > 0 && fetched < size * 0.15, `${fetched} of ${size} bytes were fetched`);
}

test('root runs an image from a store, of which little is fetched, and an ordinary one', async (t) => {
  const all = await podmanStore(t);
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
  podman run --rm --uidmap $uidmap $image
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
  podman save -q --format oci-archive -o saved.oci $image
  tar -tf saved.oci | grep -c $config
  podman push -q $image $copy
  podman rm made >/dev/null
  podman rmi -fa >/dev/null
  podman load -q -i saved.tar >/dev/null
  podman run --rm $image
  podman system prune -af >/dev/null
  podman images -q | wc -l
  podman run -q --rm $copy
`;
const SAID_OF_ALL = `${SAID}${SAID}${SAID}A /made
made
built
1
1000:100 5
1
${SAID}0
${SAID}`;

/** How root, and an ordinary user, map IDs. */
const UIDMAPS = { root: '0:100000:5000', 'an ordinary user': '0:1:5000' };

for (const [who, uidmap] of Object.entries(UIDMAPS)) {
  test(`${who} does with an image from a store what is done with images`, async (t) => {
    const { machine, image, registry } = await podmanStore(t);
    const { digest } = image.config; // the image's ID: podman compresses layers anew
    Object.assign(machine.env, { uidmap, config: digest.slice('sha256:'.length) });
    t.is(
      await (who === 'root' ? asRoot(machine, EVERYTHING) : asUser(machine, `${BY_USER}${EVERYTHING}`)),
      SAID_OF_ALL,
    );
    t.deepEqual(references(machine), []); // nothing is used any more
    const accept = 'application/vnd.oci.image.manifest.v1+json';
    const pushed = await fetch(`${registry.url}/v2/copy/manifests/1`, { headers: { accept } });
    t.like(await pushed.json(), { config: { digest } });
  });
}

test('what was pulled from a store runs after a restart of everything once its registry is back', async (t) => {
  const { machine, proxy } = await podmanStore(t);
  const running = asRoot(
    machine,
    `podman pull -q $image >/dev/null; crfs umount $store >/dev/null; crfs stop >/dev/null
     pause pulled
     crfs store $store >/dev/null; podman run --rm $image 2>&1 | grep -io 'input/output error'
     pause failed
     podman run --rm $image`,
  );
  await atPause(machine, running, 'pulled', () => (proxy.fault = () => ({ kind: 'status', status: 404 })));
  await atPause(machine, running, 'failed', () => (proxy.fault = () => undefined));
  t.is(await running, `Input/output error\n${SAID}`);
});

test('what was pulled and prefetched runs after a restart of everything, with its registry gone', async (t) => {
  const { machine, registry, proxy } = await podmanStore(t);
  const running = asRoot(
    machine,
    `podman pull -q $image >/dev/null; crfs prefetch $image >/dev/null 2>&1
     crfs umount $store >/dev/null; crfs stop >/dev/null
     pause ended
     crfs store $store >/dev/null; podman run --rm $image 'cat part-4; cat unread >/kept/unread'`,
  );
  await atPause(machine, running, 'ended', async () => {
    await registry.stop();
    await proxy.close();
  });
  t.is(await running, 'part 4\n');
});

test('an image from a store runs after a restart of everything, with its registry gone', async (t) => {
  const { machine, registry, proxy } = await podmanStore(t);
  const running = asRoot(
    machine,
    `podman run -q --rm $image; crfs umount $store >/dev/null; crfs stop >/dev/null
     pause ended
     crfs store $store >/dev/null; podman run --rm $image`,
  );
  await atPause(machine, running, 'ended', async () => {
    await registry.stop();
    await proxy.close();
  });
  t.is(await running, `${SAID}${SAID}`);
});

test('an ordinary user runs an image from a store', async (t) => {
  const all = await podmanStore(t);
  const { machine } = all;
  const said = await asUser(
    machine,
    `${BY_USER}podman run -q --rm $image
     podman run --rm --read-only $image
     crfs status --json >status.json
     podman run --rm --userns=keep-id --user 1000:100 $image
     podman rmi -fa >/dev/null
     podman unshare crfs umount $store >/dev/null`,
  );
  t.is(said, `${SAID}${SAID}${SAID}`);
  assertLittleFetched(t, all);
});

for (const [who, before] of [
  ['by the daemon', `until crfs status --json | grep -q '"layers":\\[\\]'; do sleep 0.1; done`],
  ['without a daemon', 'crfs stop >/dev/null'],
] as const) {
  test(`an image that any podman may have is removed from the cache by force alone, ${who}`, async (t) => {
    const { machine } = await podmanStore(t);
    const script = `
      other() { podman --root $PWD/other --runroot $PWD/run "$@"; }
      podman pull -q $image >/dev/null; other pull -q $image >/dev/null
      crfs umount $store >/dev/null 2>&1
      podman rmi $image >/dev/null
      ${before}
      crfs cache rm $image 2>&1 | grep -o 'podman uses'
      crfs store $store >/dev/null
      other run --rm --network none $image
      other rmi $image >/dev/null
      crfs umount $store >/dev/null 2>&1
      ${before}
      crfs cache rm $image 2>&1 | grep -o 'podman uses'
      crfs cache rm --force $image | grep -o 'removed 5 layers'
      crfs cache ls`;
    t.is(
      await asRoot(machine, script),
      `podman uses\n${SAID}podman uses\nremoved 5 layers\nThe cache holds no image.\n`,
    );
    t.deepEqual(references(machine), []);
  });
}

test('root and two ordinary users run an image at the same time, each out of a store of its own', async (t) => {
  const { machine, proxy } = await podmanStore(t);
  const [one, two] = [podmanMachine(t), podmanMachine(t)];
  for (const other of [one, two]) configure(other, proxy.host);
  const script = `${READER}podman rm reader >/dev/null; podman rmi -fa >/dev/null`;
  const byUser = `${BY_USER}${script}`;
  const all = [machine, one, two];
  const running = [asRoot(machine, script), asUser(one, byUser), asUser(two, byUser, 1)];
  const allRun = new Gate();
  t.teardown(() => allRun.open()); // also where one of them has failed
  const meet = async (): Promise<void> => {
    const passing = allRun.pass();
    if (allRun.arrivals === all.length) allRun.open();
    await passing;
  };
  await Promise.all(running.map((its, n) => atPause(all[n] ?? machine, its, 'running', meet)));
  t.deepEqual(await Promise.all(running), ['', '', '']);
  for (const each of all) {
    t.true(hasReadAll(each));
    t.deepEqual(references(each), []);
  }
});
