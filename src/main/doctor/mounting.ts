// SPDX-License-Identifier: GPL-3.0-or-later

/** Whether layers can be mounted here: drivers, and rights. */

import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { look } from '../daemon/processes.js';
import { onPath } from '../environment/on-path.js';
import { type Available, availableDrivers, whyNoFuse } from '../mount/available.js';
import { bad, type Finding, note, ok } from './check.js';

export async function checkDrivers(): Promise<Finding[]> {
  const { overlay, 'fuse-overlayfs': host } = await availableDrivers();
  const fuse = whyNoFuse();
  const device =
    fuse === undefined
      ? ok('/dev/fuse', 'can be used')
      : bad('/dev/fuse', fuse, 'load the module fuse, and let users have /dev/fuse (mode 0666)');
  return [device, driver('overlay', overlay, host), driver('fuse-overlayfs', host, overlay)];
}

function driver(name: string, { version, why }: Available, other: Available): Finding {
  if (why === null) return ok(name, version ?? 'is there');
  if (other.why === null) return note(name, why, null);
  return bad(
    name,
    why,
    name === 'overlay' ? 'take a newer kernel, or fuse-overlayfs' : 'install fuse-overlayfs, from 0.7 to 1.x',
  );
}

/** What an ordinary user needs for a user namespace with more than one user in it: subuid(5). */
export function checkRights(etc = '/etc', path?: string): Finding[] {
  if (process.geteuid?.() === 0) return [ok('rights', 'root')];
  const uid = process.geteuid?.();
  const username = look(() => userInfo().username) ?? String(uid);
  const lacking = ['subuid', 'subgid'].filter(
    (file) => rangeOf(join(etc, file), [username, String(uid)]) === undefined,
  );
  const helpers = ['newuidmap', 'newgidmap'].filter((name) => onPath(name, path) === undefined);
  const ranges =
    lacking.length === 0
      ? ok('rights', `${rangeOf(join(etc, 'subuid'), [username, String(uid)])} user IDs of ${username}'s own`)
      : bad(
          'rights',
          `${lacking.map((file) => join(etc, file)).join(' and ')} have no IDs for ${username}`,
          `as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${username}`,
        );
  const programs =
    helpers.length === 0
      ? []
      : [bad('rights', `${helpers.join(' and ')} not installed`, 'install uidmap (shadow-utils)')];
  return [ranges, ...programs];
}

/** How many IDs a file gives to somebody; undefined: none. */
function rangeOf(file: string, names: readonly string[]): number | undefined {
  const lines = (look(() => readFileSync(file, 'utf8')) ?? '').split('\n').map((line) => line.split(':'));
  const counts = lines.filter(([name = '']) => names.includes(name)).map(([, , count]) => Number(count));
  const sum = counts.reduce((all, count) => all + count, 0);
  return sum > 0 ? sum : undefined;
}
