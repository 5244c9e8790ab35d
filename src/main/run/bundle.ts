// SPDX-License-Identifier: GPL-3.0-or-later

/** A container for crun or runc: the OCI runtime specification's config.json. */

import { existsSync } from 'node:fs';
import { basename, isAbsolute, resolve } from 'node:path';
import { CrfsError } from '../errors/error.js';
import type { RunDirectory } from './mounter.js';
import { argumentsOf, imageEnvironment, imageVolumes, type RunRequest } from './request.js';
import { userOf } from './user.js';
import { makeWithin } from './within.js';

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** What containers may do by default, with podman, too. */
const CAPABILITIES = [
  'CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT',
].flatMap((names) => names.split(' ').map((name) => `CAP_${name}`));
const MASKED = ['acpi', 'asound', 'kcore', 'keys', 'latency_stats', 'sched_debug', 'scsi', 'timer_list', 'timer_stats'];
const READ_ONLY = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'];

interface Mount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** The config.json of a container in a directory. Throws CRFS_USAGE for what only podman can do, CRFS_BAD_LAYER. */
export function bundleOf(request: RunRequest, { merged, path }: RunDirectory): object {
  const { config, tty, network = 'host', options, name = basename(path) } = request;
  if (options.length > 0) throw onlyPodman(`-o ${options[0]}`);
  if (!['host', 'none'].includes(network)) throw onlyPodman(`--network ${network}`);
  const cwd = request.workdir ?? (config.workingDirectory || '/');
  if (!isAbsolute(cwd)) throw new CrfsError('CRFS_USAGE', `${JSON.stringify(cwd)} is no absolute path`);
  const { home, ...user } = userOf(merged, request.user ?? config.user);
  for (const directory of [cwd, ...imageVolumes(request)]) makeWithin(merged, directory);
  const given = request.env.flatMap((one) => (one.includes('=') ? [one] : (passedOn(one) ?? [])));
  const none: readonly string[] = [];
  const held = user.uid === 0 ? CAPABILITIES : none;
  return {
    ociVersion: '1.0.2',
    hostname: name,
    root: { path: merged },
    process: {
      terminal: tty,
      cwd,
      user,
      args: argumentsOf(request),
      env: [PATH, `HOME=${home}`, ...(tty ? ['TERM=xterm'] : none), ...imageEnvironment(config), ...given],
      capabilities: { bounding: CAPABILITIES, effective: held, permitted: held },
    },
    mounts: [...systemMounts(network), ...request.volumes.map(volumeMount)],
    linux: {
      namespaces: ['pid', 'ipc', 'uts', 'mount', ...(network === 'none' ? ['network'] : none)].map((type) => ({
        type,
      })),
      maskedPaths: [...MASKED.map((part) => `/proc/${part}`), '/sys/firmware'],
      readonlyPaths: READ_ONLY.map((part) => `/proc/${part}`),
      resources: { devices: [{ allow: false, access: 'rwm' }] },
    },
  };
}

function onlyPodman(option: string): CrfsError {
  return new CrfsError('CRFS_USAGE', `${option} takes podman, which is not installed`);
}

function passedOn(name: string): string | undefined {
  const value = process.env[name];
  return value === undefined ? undefined : `${name}=${value}`;
}

function systemMounts(network: string): Mount[] {
  const locked = ['nosuid', 'noexec', 'nodev'];
  const sys =
    network === 'none'
      ? { type: 'sysfs', source: 'sysfs', options: [...locked, 'ro'] }
      : { type: 'bind', source: '/sys', options: ['rbind', ...locked, 'ro'] }; // of another's network, sysfs cannot be mounted
  const devpts = ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'];
  const names = network === 'none' ? [] : ['/etc/resolv.conf', '/etc/hosts'].filter((name) => existsSync(name));
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: locked },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: devpts },
    { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: [...locked, 'mode=1777', 'size=65536k'] },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: locked },
    { destination: '/sys', ...sys },
    ...names.map((name) => ({ destination: name, type: 'bind', source: name, options: ['bind', 'ro'] })),
  ];
}

/** `SOURCE:DIR[:ro]`, SOURCE a path. */
function volumeMount(volume: string): Mount {
  const [source = '', destination, options = 'rw', ...more] = volume.split(':');
  if (!/^[./]/.test(source) || destination === undefined) throw onlyPodman(`-v ${volume}`);
  const isKnown = more.length === 0 && isAbsolute(destination) && /^(ro|rw)$/.test(options);
  if (!isKnown) throw new CrfsError('CRFS_USAGE', `-v ${volume}: write SOURCE:DIR or SOURCE:DIR:ro`);
  return { destination, type: 'bind', source: resolve(source), options: ['rbind', options] };
}
