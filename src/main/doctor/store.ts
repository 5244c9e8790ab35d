// SPDX-License-Identifier: GPL-3.0-or-later

/** Whether `podman run` gets its layers from a store: every link from podman to what answers. */

import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { promisify } from 'node:util';
import { look } from '../daemon/processes.js';
import type { Environment } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';
import { type Places, placesOf, UNIT } from '../setup/places.js';
import { askPodman } from '../setup/podman.js';
import { textOf } from '../setup/steps.js';
import { storesIn } from '../setup/storage-conf.js';
import { systemctl, systemdRuns } from '../setup/unit.js';
import { bad, type Finding, note, ok } from './check.js';

const SET_UP = 'crfs setup podman';
const ANSWERS_WITHIN_MS = 10_000;

export async function checkStore(environment: Environment): Promise<Finding[]> {
  const places = placesOf(environment, process.geteuid?.() === 0);
  const named = checkConfiguration(places);
  const isNamed = named.some(({ name, state }) => name === 'storage.conf' && state === 'ok');
  const podman = await checkPodman();
  if (!isNamed || podman.state !== 'ok') return [podman, ...named];
  return [podman, ...named, await checkUnit(places, environment), await checkAnswers(places)];
}

async function checkPodman(): Promise<Finding> {
  try {
    const { version, driver } = await askPodman();
    if (driver === 'overlay') return ok('podman', `${version}, keeps layers by overlay`);
    return note('podman', `${version} keeps layers by ${driver}: it can use mounts (\`--rootfs\`), and no store`, null);
  } catch (error) {
    if (!(error instanceof CrfsError)) throw error;
    if (error.code === 'CRFS_NOT_FOUND') return note('podman', error.message, 'install podman, to run containers');
    return bad('podman', error.message, 'mend what it says; a directory that storage.conf names must be there');
  }
}

function checkConfiguration(places: Places): Finding[] {
  try {
    return checkNames(places);
  } catch (error) {
    if (!(error instanceof CrfsError)) throw error;
    return [bad('storage.conf', error.message, 'mend it: podman reads it, too')];
  }
}

function checkNames({ storageConf, dropIn, store }: Places): Finding[] {
  const files = [storageConf, dropIn].map((path) => [path, look(() => textOf(path))] as const);
  const stores = files.flatMap(([path, text]) => (text === undefined ? [] : storesIn(text, path)));
  const missing = stores
    .map((one) => one.replace(/:ref$/, ''))
    .filter((one) => one.startsWith('/') && look(() => statSync(one)) === undefined);
  const gone = missing.map((path) =>
    bad(
      'storage.conf',
      `names ${path}, which cannot be looked into: then podman fails`,
      `mkdir -p ${path}, or umount what is dead there`,
    ),
  );
  const ours = stores.includes(`${store}:ref`)
    ? ok('storage.conf', `names the store ${store}`)
    : note('storage.conf', `${storageConf} names no store: \`podman run IMAGE\` pulls all of an image`, SET_UP);
  return [ours, ...gone];
}

async function checkUnit(places: Places, environment: Environment): Promise<Finding> {
  if (!systemdRuns(places, environment.env))
    return note('unit', 'no systemd runs here: the store is started by hand', null);
  if (textOf(places.unit) === undefined) return bad('unit', `there is no ${places.unit}`, SET_UP);
  const active = await systemctl(places, 'is-active', '--quiet', UNIT).then(
    () => true,
    () => false,
  );
  const user = places.isSystem ? '' : '--user ';
  return active
    ? ok('unit', `${UNIT} is active`)
    : bad('unit', `${UNIT} is not active`, `systemctl ${user}status ${UNIT}`);
}

/** Looks a name up that no store has, by another process: what does not answer must not hold this one up. */
async function checkAnswers({ isSystem, store }: Places): Promise<Finding> {
  const script = 'mountpoint -q "$0" || exit 3; stat -f "$0" >/dev/null';
  const [program, ...args]: [string, ...string[]] = isSystem
    ? ['sh', '-c', script, store]
    : ['podman', 'unshare', 'sh', '-c', script, store];
  try {
    await promisify(execFile)(program, args, { timeout: ANSWERS_WITHIN_MS, killSignal: 'SIGKILL' });
    return ok('store', 'answers');
  } catch (error) {
    const { code, killed, stderr = '' } = error as { code?: unknown; killed?: boolean; stderr?: string };
    const start = `${isSystem ? '' : 'podman unshare '}crfs store ${store}`;
    if (code === 3) return bad('store', `nothing is mounted at ${store}: podman pulls as ever`, start);
    const why = killed
      ? `no answer within ${ANSWERS_WITHIN_MS / 1000} s`
      : stderr.trim().split('\n').at(-1) || reasonOf(error);
    return bad('store', `${store}: ${why}`, `umount -l ${store}, and ${start}`);
  }
}
