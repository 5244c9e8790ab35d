// SPDX-License-Identifier: GPL-3.0-or-later

/** The commands of README.md and docs/cli.md, run as they are written there: by root, and by an ordinary user with podman's rootless mode. */

import type { ExecutionContext } from 'ava';
import { type Machine, mountingTest, plugin, whyNoMounts } from '../tools/machine.js';
import { commandsWith } from '../tools/pages.js';
import { asUser, imageOfPrograms, inNamespace, podmanMachine, whyNoPodman } from '../tools/podman.js';

const mounting = mountingTest(whyNoMounts() ?? whyNoPodman());

/** The block of commands that has `line` in it, for an image and a plugin that are there. */
function commands(line: string, image: string): string {
  return commandsWith(line)
    .replaceAll('localhost:5000/img:tag', image)
    .replaceAll('/usr/local/libexec/fuse-overlayfs/crfs-plugin.so', plugin);
}

/** A machine, and an image in a registry whose one program is this machine's `echo`. */
async function setting(t: ExecutionContext): Promise<{ readonly machine: Machine; readonly image: string }> {
  const machine = podmanMachine(t);
  return { machine, image: await imageOfPrograms(t, machine, ['/bin/echo']) };
}

mounting('root runs a container in a mounted image', async (t) => {
  const { machine, image } = await setting(t);
  const script = commands('crfs umount merged', image);
  t.regex(await inNamespace(machine, 'true', ['sh', '-ec', script]), /read-write, by overlay\nhello\n.*unmounted\n$/);
});

mounting('an ordinary user runs a container in a mounted image', async (t) => {
  const { machine, image } = await setting(t);
  const script = commands('podman unshare crfs umount merged', image);
  t.regex(await asUser(machine, script), /read-write, by overlay\nhello\n.*unmounted\n$/);
});

mounting('root, and an ordinary user, run a container by one command', async (t) => {
  const { machine, image } = await setting(t);
  const script = commands('crfs run localhost:5000/img:tag echo hello', image);
  t.is(await inNamespace(machine, 'true', ['sh', '-ec', script]), 'hello\n');
  await machine.crfs('stop');
  t.is(await asUser(machine, script), 'hello\n');
});

mounting('an ordinary user starts fuse-overlayfs by hand, and a container in what it shows', async (t) => {
  const { machine, image } = await setting(t);
  t.is(await asUser(machine, commands('podman unshare umount merged', image)), 'hello\n');
});
