// SPDX-License-Identifier: GPL-3.0-or-later

/** Whether the settings make sense: without them no mount starts a daemon. */

import { CrfsError } from '../errors/error.js';
import type { Settings } from '../settings/options.js';
import { loadSettings } from '../settings/settings.js';
import { bad, type Finding, ok } from './check.js';

/** The settings in force; none, where they make no sense. */
export async function checkSettings(): Promise<{ readonly settings?: Settings; readonly finding: Finding }> {
  try {
    return { settings: await loadSettings({}), finding: ok('settings', 'all that are set make sense') };
  } catch (error) {
    if (!(error instanceof CrfsError)) throw error;
    const advice = 'mend it there: `crfs daemon --help` lists the settings';
    return { finding: bad('settings', error.message, advice) };
  }
}
