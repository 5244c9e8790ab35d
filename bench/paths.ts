// SPDX-License-Identifier: GPL-3.0-or-later

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout: compiled, this file stands at dist/bench. */
export const top = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
export const crfs = join(top, 'bin/crfs');
export const plugin = join(top, 'crfs-plugin.so');
export const lower = join(top, 'crfs-lower');
