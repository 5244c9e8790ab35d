// SPDX-License-Identifier: GPL-3.0-or-later

/** podman as root and as an ordinary user, on machines that run tests: in a namespace of mounts where it can make cgroups. */

import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { pushTars } from './image.js';
import { crfs, LET_GO, Machine } from './machine.js';
import { missing, startRegistry } from './registry.js';
import { run } from './run.js';

/** Of a user that is nobody else's, and the first of the ids that it may use. */
const FIRST_UID = 1_000_000 + process.pid;
const FIRST_SUBUID = 100_000_000;
/** A network, and limits above those at hand, are for other machines than those that run tests. */
const containersConf = `[containers]
netns = "none"
cgroups = "disabled"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
`;

/** Why podman cannot be tried on this machine by root and an ordinary user; undefined: it can. */
export function whyNoPodman(): string | undefined {
  const why = whyNoPodmanOfRoot();
  if (why !== undefined) return why;
  return (statSync('/dev/fuse').mode & 0o006) === 0o006 ? undefined : 'only root may use /dev/fuse';
}

/** Why root cannot try podman on this machine; undefined: it can. */
export function whyNoPodmanOfRoot(): string | undefined {
  const programs = ['podman', 'newuidmap', ...missing];
  const absent = programs.filter((name) => !(process.env['PATH'] ?? '').split(':').some((path) => has(path, name)));
  return absent.length > 0 ? `${absent.join(' and ')} not installed` : undefined;
}

function has(directory: string, program: string): boolean {
  return statSync(join(directory, program), { throwIfNoEntry: false }) !== undefined;
}

/** A machine on which podman runs containers. */
export function podmanMachine(t: ExecutionContext): Machine {
  const machine = new Machine({ PATH: `${dirname(crfs)}:${process.env['PATH']}` });
  t.teardown(async () => {
    await run('chown', ['-R', '0:0', machine.root]);
    await machine.dispose();
  });
  machine.env['CONTAINERS_CONF'] = join(machine.root, 'containers.conf');
  writeFileSync(machine.env['CONTAINERS_CONF'], containersConf);
  chmodSync(machine.root, 0o755);
  return machine;
}

/** An image in a registry, of these programs of this machine and what they need, to be run as `config` says. Resolves to its name. */
export async function imageOfPrograms(
  t: ExecutionContext,
  machine: Machine,
  programs: readonly string[],
  config: object = {},
): Promise<string> {
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  await pushTars([await tarOfPrograms(machine, programs)], `${registry.host}/img:1`, config);
  return `${registry.host}/img:1`;
}

/** A tar of these programs of this machine, and what they need. */
export async function tarOfPrograms(machine: Machine, programs: readonly string[]): Promise<string> {
  const tar = join(machine.directory('tars'), 'programs.tar');
  const libraries = programs.flatMap(
    (program) => execFileSync('ldd', [program], { encoding: 'utf8' }).match(/\/\S+/g) ?? [],
  );
  const files = [...new Set([...programs, ...libraries])].map((path) => path.slice(1));
  await run('tar', ['-C', '/', '-chf', tar, ...files]);
  return tar;
}

/** Runs a script in a namespace of mounts where podman can make cgroups, and does something else before. */
export async function inNamespace(machine: Machine, before: string, program: readonly string[]): Promise<string> {
  const cgroup = 'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup';
  const args = ['-m', 'sh', '-ec', `${LET_GO}\n${cgroup}; ${before}; exec "$@"`, 'sh', ...program];
  return String(await run('unshare', args, { env: machine.env, cwd: machine.directory('user') }));
}

/** Runs a script as a user that /etc knows, there alone; `other` than 0 for one more at the same time. */
export async function asUser(machine: Machine, script: string, other = 0): Promise<string> {
  const [uid, subuid] = [FIRST_UID + other * 100_000_000, FIRST_SUBUID + other * 65_536];
  const etc = machine.directory('etc');
  for (const name of ['passwd', 'group']) copyFileSync(join('/etc', name), join(etc, name));
  writeFileSync(join(etc, 'passwd'), `tester:x:${uid}:${uid}::${machine.env['HOME']}:/bin/sh\n`, { flag: 'a' });
  writeFileSync(join(etc, 'group'), `tester:x:${uid}:\n`, { flag: 'a' });
  for (const name of ['subuid', 'subgid']) writeFileSync(join(etc, name), `tester:${subuid}:65536\n`);
  for (const name of ['passwd', 'group']) chmodSync(join(etc, name), 0o644); // whatever they are here
  const owned = ['home', 'cache', 'state', 'config', 'run', 'user'].map((name) => machine.directory(name));
  await run('chown', ['-R', `${uid}:${uid}`, ...owned]);
  chmodSync(machine.directory('run'), 0o700);
  const bind = `for f in passwd group subuid subgid; do mount --bind ${etc}/$f /etc/$f; done`;
  const become = ['setpriv', '--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups'];
  const end = `trap 'crfs stop >/dev/null; podman system migrate' EXIT`;
  return await inNamespace(machine, bind, [...become, 'sh', '-ec', `${end}\n${script}`]);
}
