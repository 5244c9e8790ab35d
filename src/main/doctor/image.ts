// SPDX-License-Identifier: GPL-3.0-or-later

/** Whether an image can be had, and mounted: its registry answers, credentials and policy let it pass, and its layers are lazy. */

import { CrfsError } from '../errors/error.js';
import { findImage } from '../inspect/image.js';
import { type ImageSummary, summarise } from '../inspect/summary.js';
import { Workspace } from '../inspect/workspace.js';
import { counted } from '../output/text.js';
import { bad, type Finding, note, ok } from './check.js';

/** What a request fails with where no host or nobody at it is found. */
const ABSENCE: ReadonlySet<unknown> = new Set(['EAI_AGAIN', 'ECONNREFUSED', 'ENOTFOUND']);

const ABSENT = 'see whether the registry runs, and whether its host and port, and the proxy if there is one, are right';
const REFUSED = 'see "Registries" in docs/cli.md: credentials, certificates, proxies, policy.json';

/** `isSetUp`: the settings make sense, by which it is told what becomes of layers. */
export async function checkImage(image: string | undefined, isSetUp: boolean): Promise<Finding> {
  if (image === undefined) return note('registry', 'none was asked', 'crfs doctor IMAGE asks that of an image');
  if (!isSetUp) return note('registry', `${image} was not looked for`, 'mend the settings first');
  const workspace = new Workspace(process.env);
  try {
    return describe(image, await summarise(await findImage(image, workspace, undefined)));
  } catch (error) {
    if (!(error instanceof CrfsError)) throw error;
    return bad('registry', error.message, isAbsence(error) ? ABSENT : REFUSED);
  } finally {
    await workspace.close();
  }
}

function isAbsence(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if ('code' in at && ABSENCE.has(at.code)) return true;
  return false;
}

function describe(image: string, { layers }: ImageSummary): Finding {
  const count = counted(layers.length, 'layer');
  const others = layers.filter(({ lazy }) => !lazy);
  if (others.length === 0) {
    if (!layers.some(({ byIndex }) => byIndex)) return ok('registry', `${image} is there, of ${count}, lazy`);
    const advice = `crfs mount and run need no more; podman with a store needs crfs index ${image} first, from 5.1 on crfs stargzify ${image} TARGET`;
    return note('registry', `${image} is there, of ${count}, lazy by an index in its registry`, advice);
  }
  const isMountable = others.every(({ mountable }) => mountable);
  const how = isMountable ? 'lazy once read' : 'not lazy';
  const which =
    others.length === layers.length ? how : `of which ${others.length} ${others.length === 1 ? 'is' : 'are'} ${how}`;
  const advice = `crfs stargzify ${image} TARGET converts it`;
  const all = isMountable ? `its first mount reads all of what has no TOC; ${advice}` : advice;
  return note('registry', `${image} is there, of ${count}, ${which}`, all);
}
