// SPDX-License-Identifier: GPL-3.0-or-later

/** Whom a container runs as: names are those of the image. */

import { CrfsError } from '../errors/error.js';
import { readWithin } from './within.js';

export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  readonly home: string;
}

/**
 * `user[:group]` by names or numbers, in the image at `root`; '' is root. Throws CRFS_USAGE for a name that the image does not have.
 */
export function userOf(root: string, written: string): User {
  const [user = '', group] = written.split(':');
  const accounts = lines(readWithin(root, '/etc/passwd'));
  const groups = lines(readWithin(root, '/etc/group'));
  const account = accounts.find(([name, , uid]) => name === user || (uid === (user || '0') && isNumber(uid)));
  const uid = numberOf(account?.[2], user || '0', `user ${JSON.stringify(user)}`);
  const named = group === undefined ? undefined : groups.find(([name, , gid]) => name === group || gid === group);
  const gid =
    group === undefined
      ? Number(isNumber(account?.[3]) ? account?.[3] : 0)
      : numberOf(named?.[2], group, `group ${JSON.stringify(group)}`);
  const members = groups.filter(
    ([, , id, names = '']) => isNumber(id) && names.split(',').includes(account?.[0] ?? ''),
  );
  const additionalGids = group === undefined && account ? members.map(([, , id]) => Number(id)) : [];
  return { uid, gid, additionalGids, home: account?.[5] || (uid === 0 ? '/root' : '/') };
}

function lines(text: string): string[][] {
  return text.split('\n').map((line) => line.split(':'));
}

function isNumber(text = ''): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 - 1;
}

function numberOf(found: string | undefined, written: string, what: string): number {
  if (isNumber(found)) return Number(found);
  if (isNumber(written)) return Number(written);
  throw new CrfsError('CRFS_USAGE', `the image has no ${what}`);
}
