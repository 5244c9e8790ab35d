// SPDX-License-Identifier: GPL-3.0-or-later

/** Setting podman up to take layers from a store, and the way back. */

import type { Environment } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { freshConf, isFresh } from './fresh-conf.js';
import { neededOf } from './needed.js';
import { type Places, UNIT } from './places.js';
import { askPodman, expectPodman, type Podman, readsDropIns } from './podman.js';
import { untilServed } from './probe.js';
import type { Programs } from './programs.js';
import { makeDirectory, removeDirectory, removeFile, type Step, textOf, writeFile } from './steps.js';
import { hasRun, storageOf } from './storage.js';
import { addStore, removeStore, storesIn } from './storage-conf.js';
import { storeCommand, systemctl, systemdRuns, unitText } from './unit.js';

export interface Plan {
  readonly steps: readonly Step[];
  /** What is left to the person, in one line each. */
  readonly left: readonly string[];
}

/**
 * What there is to do until podman asks the store. The directory is made first: podman fails, whatever it is asked, while a
 * directory is missing that its configuration names. Rejects with CRFS_USAGE where podman cannot use a store, and with what
 * askPodman rejects with.
 */
export async function planSetup(places: Places, environment: Environment, programs: Programs): Promise<Plan> {
  const podman = await (wasNeverRun(places) ? expectPodman(places) : askPodman());
  checkPodman(podman, places);
  const command = storeCommand(places, programs.crfs, programs.podman);
  const runs = systemdRuns(places, environment.env);
  const start: Step[] = [
    {
      says: `have systemd start ${UNIT}, now and ${places.isSystem ? 'with the machine' : 'when you log in'}`,
      act: async () => {
        await systemctl(places, 'daemon-reload');
        await systemctl(places, 'enable', '--now', UNIT);
      },
    },
    {
      says: 'wait until the store answers',
      act: async () => await untilServed(places.store, ...(places.isSystem ? [] : [programs.podman, 'unshare'])),
    },
  ];
  return {
    steps: [
      ...makeDirectory(places.store, places.isSystem ? 0o755 : 0o700),
      ...writeFile(places.unit, unitText(places, command, programs.crfs)),
      ...(runs ? start : []),
      ...nameStore(places, podman),
    ],
    left: runs
      ? []
      : [
          `no systemd runs here: start the store yourself, now and after each start of the machine: ${command.join(' ')}`,
        ],
  };
}

/**
 * What there is to do until podman does not ask the store any more, and nothing is left of it. Rejects with CRFS_USAGE while
 * images or containers need it.
 */
export async function planUndo(places: Places, environment: Environment): Promise<Plan> {
  refuseIfNeeded(places, await graphRootOf(places, environment));
  const runs = systemdRuns(places, environment.env);
  const stop: Step[] = [
    {
      says: `have systemd end ${UNIT}`,
      act: async () => await systemctl(places, 'disable', '--now', UNIT),
    },
  ];
  const forget: Step[] = [{ says: 'have systemd read its units again', act: () => systemctl(places, 'daemon-reload') }];
  const known = textOf(places.unit) !== undefined;
  const steps = [
    ...unnameStore(places),
    ...(runs && known ? stop : []),
    ...removeFile(places.unit),
    ...(runs && known ? forget : []),
    ...removeDirectory(places.store),
  ];
  return { steps, left: [] };
}

function wasNeverRun({ storageConf, inherited, graphRoot }: Places): boolean {
  return textOf(storageConf) === undefined && inherited === undefined && !hasRun(graphRoot);
}

function checkPodman({ driver, rootless }: Podman, { isSystem }: Places): void {
  if (rootless === isSystem) {
    throw new CrfsError('CRFS_INTERNAL', `podman is ${rootless ? 'rootless' : "root's"}, and this is not`);
  }
  if (driver === 'overlay') return;
  const how = 'first `podman system reset`, which removes all of its images and containers, and then this once more';
  throw new CrfsError('CRFS_USAGE', `podman keeps layers by ${driver}, and only overlay asks stores: ${how}`);
}

function nameStore(places: Places, podman: Podman): Step[] {
  const { storageConf, dropIn, inherited } = places;
  const store = `${places.store}:ref`;
  const before = textOf(storageConf);
  if (before !== undefined && storesIn(before, storageConf).includes(store)) return [];
  if (readsDropIns(podman)) {
    const line = `additionallayerstores = [${JSON.stringify(store)}, {append=true}]`;
    return writeFile(
      dropIn,
      `# made by crfs setup podman, which takes it away with --undo\n[storage.options]\n${line}\n`,
    );
  }
  const inheritedText = inherited === undefined ? undefined : textOf(inherited);
  return writeFile(storageConf, addStore(before ?? inheritedText ?? freshConf(podman), store, storageConf));
}

/** A user's file that says `overlay` stays where podman has run by it: without it podman might expect vfs, and complains. */
function unnameStore({ isSystem, storageConf, dropIn, inherited, store, graphRoot }: Places): Step[] {
  const before = textOf(storageConf);
  if (before === undefined) return removeFile(dropIn);
  const after = removeStore(before, `${store}:ref`, storageConf);
  const isOurs =
    after !== before &&
    ((isFresh(after) && (isSystem || !hasRun(graphRoot))) || (inherited !== undefined && after === textOf(inherited)));
  return [...(isOurs ? removeFile(storageConf) : writeFile(storageConf, after)), ...removeFile(dropIn)];
}

function refuseIfNeeded({ store }: Places, graphRoot: string): void {
  const { containers, images } = neededOf(store, graphRoot);
  const what = [
    containers.length === 0 ? '' : `podman rm ${containers.join(' ')}`,
    images.length === 0 ? '' : `podman rmi ${images.join(' ')}`,
  ].filter((one) => one !== '');
  if (what.length === 0) return;
  const needing = [...containers.map((name) => `the container ${name}`), ...images.map((name) => `the image ${name}`)];
  const need = needing.length === 1 ? 'needs' : 'need';
  throw new CrfsError('CRFS_USAGE', `${needing.join(', ')} ${need} the store: first \`${what.join('; ')}\``);
}

/** Where podman says, or, while it cannot be asked or was never run, where its configuration has it keep images. */
async function graphRootOf(places: Places, { env }: Environment): Promise<string> {
  const { graphRoot } = storageOf(places, env);
  if (!hasRun(graphRoot)) return graphRoot;
  return await askPodman().then(
    (podman) => podman.graphRoot,
    () => graphRoot,
  );
}
