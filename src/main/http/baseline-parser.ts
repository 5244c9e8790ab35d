// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * undici's parser is WebAssembly. V8 of Node.js 20 optimizes all of it with the first answer, which takes as much of a processor
 * as the rest of a command, and 40 MB; later ones do so when it pays. The code of its baseline compiler is fast enough for what comes over a network.
 */

import { setFlagsFromString } from 'node:v8';

if (Number.parseInt(process.versions.v8, 10) < 12) setFlagsFromString('--liftoff-only');
