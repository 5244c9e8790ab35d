// SPDX-License-Identifier: GPL-3.0-or-later

/** Whether `podman run` gets its layers from a store: every link from podman to what answers. Nothing is changed. */

import type { Environment } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { neededOf, storesLedTo } from '../setup/needed.js';
import { type Places, placesOf, UNIT } from '../setup/places.js';
import { type Probe, probe } from '../setup/probe.js';
import { textOf } from '../setup/steps.js';
import { type Storage, storageOf } from '../setup/storage.js';
import { systemctl, systemdRuns } from '../setup/unit.js';
import { bad, type Finding, note, ok } from './check.js';
import { checkPodman, SET_UP } from './podman.js';

const MOST_NAMED = 3;

export async function checkStore(environment: Environment): Promise<Finding[]> {
  const places = placesOf(environment, process.geteuid?.() === 0);
  try {
    return await checkLinks(places, environment);
  } catch (error) {
    if (!(error instanceof CrfsError)) throw error;
    return [bad('storage.conf', error.message, 'mend it: podman reads it, too')];
  }
}

async function checkLinks(places: Places, environment: Environment): Promise<Finding[]> {
  const storage = storageOf(places, environment.env);
  const podman = await checkPodman(places, storage);
  const named = storage.stores.map((store) => store.replace(/:ref$/, '')).filter((store) => store.startsWith('/'));
  const stores = [...new Set([...named, ...storesLedTo(storage.graphRoot)])];
  return [
    podman.finding,
    checkNames(storage, named, podman.canBeSetUp ? SET_UP : null),
    ...(named.includes(places.store) ? [await checkUnit(places, environment)] : []),
    ...(await Promise.all(stores.map((store) => checkOne(store, places, storage, podman.isRunnable)))),
  ];
}

function checkNames({ conf }: Storage, named: readonly string[], advice: string | null): Finding {
  if (named.length > 0) return ok('storage.conf', `names the store ${named.join(' and ')}`);
  return note('storage.conf', `${conf} names no store: \`podman run IMAGE\` pulls all of an image`, advice);
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

/** Whether a store is served where podman sees it, and what it means if not. */
async function checkOne(
  store: string,
  { isSystem }: Places,
  { graphRoot }: Storage,
  isRunnable: boolean,
): Promise<Finding> {
  const here = await probe(store);
  const found: Probe = here === 'unmounted' && !isSystem && isRunnable ? await probe(store, 'podman', 'unshare') : here;
  const start = `${isSystem ? '' : 'podman unshare '}crfs store ${store}`;
  if (found === 'answers') return ok('store', `${store} answers`);
  if (found === 'missing')
    return bad('store', `there is no ${store}: then podman fails`, `mkdir -p ${store}; ${start}`);
  if (found === 'dead') return bad('store', `what served ${store} was killed`, `crfs umount ${store}; ${start}`);
  if (found === 'unmounted')
    return bad('store', `nothing is mounted at ${store}: ${withoutIt(neededOf(store, graphRoot).images)}`, start);
  return bad('store', `${store}: ${found.why}`, `crfs umount --lazy ${store}; ${start}`);
}

function withoutIt(images: readonly string[]): string {
  if (images.length === 0) return 'podman pulls as ever';
  const more = images.length > MOST_NAMED ? ` and ${images.length - MOST_NAMED} more` : '';
  return `${images.slice(0, MOST_NAMED).join(', ')}${more} cannot be started`;
}
