// SPDX-License-Identifier: GPL-3.0-or-later

// Prints what the demo saw: the daemon's status comes on standard input.

import { readFileSync } from 'node:fs';

const [layerBytes, mountMs, firstMs, secondMs] = process.argv.slice(2).map(Number);
const { counters, mounts, layers } = JSON.parse(readFileSync(0, 'utf8'));
const { files, contentSize } = layers[0];
const opened = mounts[0].ring;
const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

console.log(`
  layer             ${mib(layerBytes)}, ${files} files of ${mib(contentSize)}
  mount             ${mountMs} ms, the daemon's start and the TOC's reading included
  first run         ${firstMs} ms to its end, nothing cached
  second run        ${secondMs} ms
  opened            ${opened.misses} files that had to be filled first, ${opened.hits} that were there
  filled            ${counters.objects} of ${files} files, ${mib(counters.objectBytes)}, readahead included
  read of the layer ${mib(counters.readBytes)} of ${mib(layerBytes)}`);
