// SPDX-License-Identifier: GPL-3.0-or-later

/** What podman sees of a store when something is killed, or does not answer; and how it goes on. */

import { Gate } from '../tools/gate.js';
import { type Machine, mountingTest, until, whyNoMounts } from '../tools/machine.js';
import { asUser, whyNoPodman } from '../tools/podman.js';
import {
  asRoot,
  atPause,
  BY_USER,
  hasReadAll,
  podmanStore,
  READER,
  references,
  SAID,
  statusOf,
} from '../tools/podman-store.js';

const test = mountingTest(whyNoMounts() ?? whyNoPodman());

test('a container of root reads on when the daemon is killed', async (t) => {
  const { machine } = await podmanStore(t);
  const running = asRoot(machine, `${READER}podman run --rm $image`);
  await atPause(machine, running, 'running', () => process.kill(statusOf(machine).pid, 'SIGKILL'));
  t.is(await running, SAID);
  t.true(hasReadAll(machine));
});

test('a container of an ordinary user reads on when the daemon is killed', async (t) => {
  const { machine } = await podmanStore(t);
  const running = asUser(machine, `${BY_USER}${READER}podman run --rm $image`);
  await atPause(machine, running, 'running', () => process.kill(statusOf(machine).pid, 'SIGKILL'));
  t.is(await running, SAID);
  t.true(hasReadAll(machine));
});

test('a container fails when the server of its store is killed, and podman until the store is mounted again', async (t) => {
  const { machine } = await podmanStore(t);
  const running = asRoot(
    machine,
    `${READER}cat err
     podman run --rm $image 2>&1 | grep -o 'transport endpoint is not connected'
     podman images --format '{{.Repository}}:{{.Tag}}' | grep -cx $image
     crfs store $store 2>&1 | sed "s:$store:DIR:"
     crfs umount $store 2>&1 | sed "s:$store:DIR:g"
     crfs store $store | sed "s:$store:DIR:"
     podman run --rm $image
     echo | podman start -a -i reader >again
     podman rm reader >/dev/null; podman rmi $image >/dev/null`,
  );
  await atPause(machine, running, 'running', () => process.kill(statusOf(machine).stores?.[0]?.pid ?? 0, 'SIGKILL'));
  t.is(
    await running,
    `code 126
/bin/sh: 1: cat: Transport endpoint is not connected
transport endpoint is not connected
1
crfs: "DIR" is mounted already: run \`crfs umount\` first
DIR: unmounted
crfs: warning: podman has 5 layers from it: its images start again when \`crfs store DIR\` is there
DIR: a store of layers
${SAID}`,
  );
  t.true(hasReadAll(machine, 'again'));
  t.deepEqual(references(machine), []);
});

/** podman's own requests are known by what they say of themselves. */
function isPodmans({ headers }: { readonly headers: Readonly<Record<string, unknown>> }): boolean {
  return String(headers['user-agent']).startsWith('containers/');
}

for (const [what, killed] of [
  ['the daemon', (machine: Machine) => machine.status().then((status) => status?.pid)],
  ['the server of the store', (machine: Machine) => machine.status().then((status) => status?.stores?.[0]?.pid)],
] as const) {
  test(`podman runs an image when ${what} is killed while it pulls`, async (t) => {
    const { machine, proxy, image } = await podmanStore(t);
    const gate = new Gate();
    t.teardown(() => gate.open());
    proxy.fault = ({ headers }) => (headers.range === undefined ? undefined : { kind: 'hold', gate });
    const running = asRoot(
      machine,
      'podman run -q --rm $image; crfs umount $store >/dev/null 2>&1; crfs store $store >/dev/null; podman run --rm $image',
    );
    const asked = until('the store asks for a layer', () =>
      proxy.seen.some(({ headers }) => headers.range !== undefined),
    );
    await Promise.race([running, asked]);
    process.kill((await killed(machine)) ?? 0, 'SIGKILL');
    gate.open();
    t.is(await running, `${SAID}${SAID}`);
    const whole = proxy.seen.some((seen) => isPodmans(seen) && seen.path.includes(image.layers[0]?.digest ?? ''));
    t.is(whole, what !== 'the daemon');
  });
}

test('podman pulls an image by itself when its registry does not answer the store, which has it later', async (t) => {
  const { machine, proxy } = await podmanStore(t);
  const gate = new Gate();
  t.teardown(() => gate.open());
  proxy.fault = (seen) => (isPodmans(seen) ? undefined : { kind: 'hold', gate });
  const running = asRoot(
    machine,
    `podman run -q --rm $image; podman rmi -f $image >/dev/null
     pause pulled
     crfs umount $store >/dev/null; crfs store $store --patience 60m >/dev/null
     podman run -q --rm $image; crfs status --json >status.json`,
    '1s',
  );
  await atPause(machine, running, 'pulled', () => gate.open());
  t.is(await running, `${SAID}${SAID}`);
  t.is(statusOf(machine).stores?.[0]?.images[0]?.layers.length, 5);
});
