// SPDX-License-Identifier: GPL-3.0-or-later

import { quote } from '../formats/fault.js';
import { partsOf } from '../formats/names.js';

/**
 * The path that the name of a tar's member stands for, as `cleanPath` has those of a layer: but of any length, as not all of
 * them are shown in a mount, and with `.` for the root. Throws LayerFault for one that leaves the root.
 */
export function memberPath(name: string): string {
  return partsOf(name, `the name ${quote(name)}`).join('/') || '.';
}
