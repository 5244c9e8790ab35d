// SPDX-License-Identifier: GPL-3.0-or-later

/** A mount that comes back with the machine: as a command line, a unit of systemd, and a line of fstab(5). */

import { CrfsError } from '../errors/error.js';
import type { Programs } from './programs.js';
import { literal, serviceText } from './unit.js';

export interface Lasting {
  readonly isSystem: boolean;
  /** Absolute, as all paths here: what brings it back starts elsewhere. */
  readonly mountpoint: string;
  readonly configuration: string;
  /** Options of `crfs mount`, by their long names; '' for one without a value. */
  readonly options: readonly (readonly [name: string, value: string])[];
}

/** Its unit; of a mountpoint's name systemd has a way of its own to write it: systemd-escape(1). */
export function unitOf(mountpoint: string): string {
  const escaped = [...Buffer.from(mountpoint.replace(/^\/+/, ''))].map((byte, i) => {
    const letter = String.fromCharCode(byte);
    if (letter === '/') return '-';
    const isPlain = /[\w:.]/.test(letter) && !(i === 0 && letter === '.');
    return isPlain ? letter : `\\x${byte.toString(16).padStart(2, '0')}`;
  });
  return `crfs-mount-${escaped.join('') || '-'}.service`;
}

/** Mounts it by hand; `foreground`: and stays. */
export function mountCommand(lasting: Lasting, { crfs, podman }: Programs, foreground: boolean): string[] {
  const { isSystem, options, configuration, mountpoint } = lasting;
  const given = options.map(([name, value]) => (value === '' ? `--${name}` : `--${name}=${value}`));
  return [
    ...(isSystem ? [] : [podman, 'unshare']),
    crfs,
    'mount',
    ...given,
    ...(foreground ? ['--foreground'] : []),
    '--',
    configuration,
    mountpoint,
  ];
}

export function mountUnit(lasting: Lasting, programs: Programs): string {
  const { isSystem, mountpoint, configuration } = lasting;
  return serviceText({
    isSystem,
    made: 'crfs mount --persist, which crfs umount --forget takes away',
    description: `${configuration} at ${mountpoint}`,
    page: 'crfs-mount',
    condition: `ConditionPathIsMountPoint=!${literal(mountpoint)}`,
    start: mountCommand(lasting, programs, true),
    stop: [programs.crfs, 'umount', '--lazy', '--', mountpoint],
  });
}

/** What stands in /etc/fstab for it: a start of the machine does not wait for it, and does not fail with it. */
export function fstabLine({ configuration, mountpoint, options }: Lasting): string {
  const written = options.map(([name, value]) => {
    if (name === 'option') return value;
    const option = value === '' ? name : `${name}=${value}`;
    return option.includes(',') ? `"${option}"` : option;
  });
  const fields = [configuration, mountpoint, 'fuse.crfs', [...written, '_netdev', 'nofail'].join(',')];
  return `${fields.map(field).join(' ')} 0 0`;
}

function field(text: string): string {
  return text.replaceAll(/[\s\\#]/g, (letter) => `\\${letter.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

/** Throws CRFS_USAGE for what cannot be written into a line of either file, or may not, as others can read them. */
export function checkLasting({ configuration, mountpoint, options }: Lasting): void {
  const words = [configuration, mountpoint, ...options.map(([, value]) => value)];
  const bad = words.find((word) => /\p{Cc}/u.test(word));
  if (bad !== undefined) {
    throw new CrfsError('CRFS_USAGE', `--persist: ${JSON.stringify(bad)} has a control character in it`);
  }
  const hasPassword = URL.canParse(configuration) && /^https?:\/\/[^/]*@/i.test(configuration);
  if (!hasPassword && !options.some(([name]) => name === 'creds')) return;
  const why = 'what brings the mount back is a file that others can read';
  throw new CrfsError('CRFS_USAGE', `--persist takes no credentials but those in the file of --authfile: ${why}`);
}
