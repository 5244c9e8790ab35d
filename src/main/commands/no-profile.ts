// SPDX-License-Identifier: GPL-3.0-or-later

import { isDigest } from '../blob/digest.js';
import { askStatus } from '../daemon/ask.js';
import { CrfsError } from '../errors/error.js';

/** That no profile is kept of the image with this manifest, and what makes one; `named`: as a person has named it. */
export async function noProfile(image: string, named: string, told = named): Promise<CrfsError> {
  const record = `\`crfs profile record ${isDigest(named) ? 'IMAGE' : named}\``;
  const text = (await isBeingRecorded(image))
    ? `${told} yet: its start is being recorded, and kept once that reads nothing new for 10 seconds, or its mount goes`
    : `${told}: the next mount of it that reads what is not in the cache makes one, and so does ${record}`;
  return new CrfsError('CRFS_NOT_FOUND', `there is no profile of ${text}`);
}

/** As far as a daemon that runs says so. */
async function isBeingRecorded(image: string): Promise<boolean> {
  const status = await askStatus().catch(() => undefined);
  return (status?.mounts ?? []).some(
    ({ ring, starts = [] }) =>
      ring?.unseen !== 1 && starts.some((start) => start.image === image && start.recording === 'under way'),
  );
}
