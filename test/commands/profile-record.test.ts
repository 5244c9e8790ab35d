// SPDX-License-Identifier: GPL-3.0-or-later

/** `crfs profile record` with the real podman: by root, and by an ordinary user. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { ExecutionContext } from 'ava';
import { type Machine, mountingTest, whyNoMounts } from '../tools/machine.js';
import { asUser, imageOfPrograms, inNamespace, podmanMachine, tarOfPrograms, whyNoPodman } from '../tools/podman.js';
import { startRegistry } from '../tools/registry.js';
import { blobOf, pushImage } from '../tools/registry-image.js';
import { shown } from '../tools/started.js';

const test = mountingTest(whyNoMounts() ?? whyNoPodman());

const CONFIG = { Cmd: ['/bin/sh', '-c', 'echo as it says'], Env: ['PATH=/bin'] };

async function setting(t: ExecutionContext): Promise<{ readonly machine: Machine; readonly image: string }> {
  const machine = podmanMachine(t);
  return { machine, image: await imageOfPrograms(t, machine, ['/bin/sh', '/bin/id', '/bin/cat'], CONFIG) };
}

/** Whatever is in the cache, and known; the exit code is the container's. */
const RECORDED = `
  crfs run $image
  crfs profile record $image 2>&1
  crfs profile record $image -- /bin/sh -c 'id -u; exit 3' 2>&1 || echo "code $?"
`;
const SAID = /^as it says\nas it says\ncrfs: \S+: recorded \d+ reads\n0\ncrfs: \S+: recorded \d+ reads\ncode 3\n$/;

async function requireRecorded(t: ExecutionContext, machine: Machine, image: string): Promise<void> {
  const { program, order } = await shown(machine, image);
  t.regex(program ?? '', /sh$/);
  const paths = order.map(({ path }) => path);
  t.true(paths.includes('bin/id') && !paths.includes('bin/cat'), paths.join(' '));
  const left = readdirSync(join(machine.root, 'cache')).filter((name) => name.startsWith('crfs-record'));
  t.deepEqual(left, [], 'the cache that it had to itself has gone');
}

test('what a command reads is recorded, whatever is in the cache, by root', async (t) => {
  const { machine, image } = await setting(t);
  t.regex(await inNamespace(machine, `image=${image}; export image`, ['sh', '-ec', RECORDED]), SAID);
  await requireRecorded(t, machine, image);
});

test('what a command reads is recorded, whatever is in the cache, by an ordinary user', async (t) => {
  const { machine, image } = await setting(t);
  t.regex(await asUser(machine, `image=${image}\n${RECORDED}\ncrfs profile show $image | grep -q /bin/id`), SAID);
  const left = readdirSync(join(machine.root, 'cache')).filter((name) => name.startsWith('crfs-record'));
  t.deepEqual(left, [], 'the cache that it had to itself has gone');
});

test('a container that did not start leaves what was known; one whose program ends as podman does then is recorded', async (t) => {
  const { machine, image } = await setting(t);
  const script = `
    crfs profile record $image 2>/dev/null
    crfs profile show $image --json >before
    record() { crfs profile record "$@" 2>said || echo "code $?"; grep -a 'crfs: ' said; }
    record $image -- nosuch
    record $image -- /bin
    record -o --memory=nonsense $image
    crfs profile show $image --json | cmp - before
    record $image -- /bin/sh -c 'exit 127'
  `;
  const said = await inNamespace(machine, `image=${image}; export image`, ['sh', '-ec', script]);
  const none = 'crfs: \\S+: the container did not start: nothing is recorded\n';
  t.regex(
    said,
    new RegExp(
      `^as it says\ncode 127\n${none}code 126\n${none}code 125\n${none}code 127\ncrfs: \\S+: recorded \\d+ reads\n$`,
    ),
  );
});

test('of an image whose layers the mount reads as a whole, it is told why nothing is recorded', async (t) => {
  const machine = podmanMachine(t);
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const tar = readFileSync(await tarOfPrograms(machine, ['/bin/sh']));
  const layer = blobOf('application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(tar));
  const rootfs = { type: 'layers', diff_ids: [blobOf('', tar).digest] };
  const text = JSON.stringify({ architecture: 'amd64', os: 'linux', config: CONFIG, rootfs });
  const config = blobOf('application/vnd.oci.image.config.v1+json', Buffer.from(text));
  const image = `${registry.host}/plain:1`;
  await pushImage({ layers: [layer], config }, image);
  const said = await inNamespace(machine, ':', ['sh', '-c', `crfs profile record ${image} 2>&1 || echo "code $?"`]);
  t.regex(
    said,
    /as it says\ncrfs: \S+: nothing of it was read once it was mounted: .*`crfs index --push`.*\ncode 1\n$/,
  );
});

test('what cannot be run leaves nothing, and keeps what was known', async (t) => {
  const { machine } = await setting(t);
  await t.throwsAsync(machine.crfs('profile', 'record', './layer.esgz'), { message: /only images in registries/ });
  await t.throwsAsync(machine.crfs('profile', 'record', '127.0.0.1:1/none:1'), {
    message: /ended with 1: crfs: [^\n]*connection was refused$/,
  });
  t.deepEqual(readdirSync(join(machine.root, 'cache')), ['crfs-plugin']);
});
