// SPDX-License-Identifier: GPL-3.0-or-later

/** The commands of README.md and docs/cli.md, run as they are written there: by root, and by an ordinary user with podman's rootless mode. */

import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { pushTars } from '../tools/image.js';
import { crfs, LET_GO, Machine, mountingTest, plugin, top, whyNoMounts } from '../tools/machine.js';
import { missing, startRegistry } from '../tools/registry.js';
import { run } from '../tools/run.js';

const mounting = mountingTest(whyNoMounts() ?? whyNoPodman());

/** A user that is nobody else's, and the first of the ids that it may use. */
const uid = 1_000_000 + process.pid;
const subuid = 100_000_000;
/** A network, and limits above those at hand, are for other machines than those that run tests. */
const containersConf = `[containers]
netns = "none"
cgroups = "disabled"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
`;

function whyNoPodman(): string | undefined {
  const programs = ['podman', 'newuidmap', ...missing];
  const absent = programs.filter((name) => !(process.env['PATH'] ?? '').split(':').some((path) => has(path, name)));
  if (absent.length > 0) return `${absent.join(' and ')} not installed`;
  return (statSync('/dev/fuse').mode & 0o006) === 0o006 ? undefined : 'only root may use /dev/fuse';
}

function has(directory: string, program: string): boolean {
  return statSync(join(directory, program), { throwIfNoEntry: false }) !== undefined;
}

/** The block of commands in README.md or docs/cli.md that has `line` in it, for an image and a plugin that are there. */
function commands(line: string, image: string): string {
  const block = ['README.md', 'docs/cli.md']
    .flatMap((name) => readFileSync(join(top, name), 'utf8').split('\n\n'))
    .find((text) => text.split('\n').includes(`    ${line}`));
  if (block === undefined) throw new Error(`no text has the command ${line}`);
  return block
    .replaceAll('localhost:5000/img:tag', image)
    .replaceAll('/usr/local/libexec/fuse-overlayfs/crfs-plugin.so', plugin);
}

/** A machine, and an image in a registry whose one program is this machine's `echo`. */
async function setting(t: ExecutionContext): Promise<{ readonly machine: Machine; readonly image: string }> {
  const machine = new Machine({ PATH: `${dirname(crfs)}:${process.env['PATH']}` });
  t.teardown(async () => {
    await run('chown', ['-R', '0:0', machine.root]);
    await machine.dispose();
  });
  machine.env['CONTAINERS_CONF'] = join(machine.root, 'containers.conf');
  writeFileSync(machine.env['CONTAINERS_CONF'], containersConf);
  chmodSync(machine.root, 0o755);
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const tar = join(machine.directory('tars'), 'echo.tar');
  const libraries = execFileSync('ldd', ['/bin/echo'], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
  await run('tar', ['-C', '/', '-chf', tar, ...['/bin/echo', ...libraries].map((path) => path.slice(1))]);
  await pushTars([tar], `${registry.host}/img:1`);
  return { machine, image: `${registry.host}/img:1` };
}

/** Runs a script in a namespace of mounts where podman can make cgroups, and does something else before. */
async function inNamespace(machine: Machine, before: string, program: readonly string[]): Promise<string> {
  const cgroup = 'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup';
  const args = ['-m', 'sh', '-ec', `${LET_GO}\n${cgroup}; ${before}; exec "$@"`, 'sh', ...program];
  return String(await run('unshare', args, { env: machine.env, cwd: machine.directory('user') }));
}

/** Runs a script as a user that /etc knows, there alone. */
async function asUser(machine: Machine, script: string): Promise<string> {
  const etc = machine.directory('etc');
  for (const name of ['passwd', 'group']) copyFileSync(join('/etc', name), join(etc, name));
  writeFileSync(join(etc, 'passwd'), `tester:x:${uid}:${uid}::${machine.env['HOME']}:/bin/sh\n`, { flag: 'a' });
  writeFileSync(join(etc, 'group'), `tester:x:${uid}:\n`, { flag: 'a' });
  for (const name of ['subuid', 'subgid']) writeFileSync(join(etc, name), `tester:${subuid}:65536\n`);
  const owned = ['home', 'cache', 'state', 'config', 'run', 'user'].map((name) => machine.directory(name));
  await run('chown', ['-R', `${uid}:${uid}`, ...owned]);
  chmodSync(machine.directory('run'), 0o700);
  const bind = `for f in passwd group subuid subgid; do mount --bind ${etc}/$f /etc/$f; done`;
  const become = ['setpriv', '--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups'];
  const end = `trap 'crfs stop >/dev/null; podman system migrate' EXIT`;
  return await inNamespace(machine, bind, [...become, 'sh', '-ec', `${end}\n${script}`]);
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

mounting('an ordinary user starts fuse-overlayfs by hand, and a container in what it shows', async (t) => {
  const { machine, image } = await setting(t);
  t.is(await asUser(machine, commands('podman unshare umount merged', image)), 'hello\n');
});
