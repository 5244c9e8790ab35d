// SPDX-License-Identifier: GPL-3.0-or-later

/** How a start of an image went, as a page. */

import type { CacheLayout } from '../disk/cache-layout.js';
import type { Profile } from '../profile/profile.js';
import { keptStart } from '../waterfall/kept.js';
import { startOf } from '../waterfall/of-profile.js';
import { startPage } from '../waterfall/page.js';

const ONLY_PROFILE =
  'What was read is from a profile. It does not say what was waited for, and what was fetched: the next start of the image ' +
  'that reads what is not in the cache is recorded here with all of that.';

/** Of an image with this manifest, by what is kept of its last start, else by its profile; undefined: there is neither. */
export function startPageOf(
  layout: CacheLayout,
  written: string,
  image: string,
  profile: Profile | undefined,
): string | undefined {
  const kept = keptStart(layout, image);
  const record = kept ?? (profile && startOf(profile));
  if (record === undefined) return undefined;
  const program = profile?.program;
  return startPage(record, {
    title: `How ${written} started`,
    facts: [['image', image], ['recorded', record.began], ...(program ? ([['first program', program]] as const) : [])],
    ...(kept === undefined ? { note: ONLY_PROFILE, isReadsAlone: true } : {}),
  });
}
