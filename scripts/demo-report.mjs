// SPDX-License-Identifier: GPL-3.0-or-later

// Prints what the demo saw: STATUS.json, as the daemon told it behind the first start, LAYER_BYTES, and of each start
// NAME MOUNT_MS FIRST_MS SECOND_MS.

import { readFileSync } from 'node:fs';

const NAMES = {
  overlay: "the kernel's overlay",
  'fuse-overlayfs': 'fuse-overlayfs',
  'extracted tree': 'extracted tree',
};
const WHATS = ['mount', 'first run', 'second run'];

const [file, layerBytes, ...words] = process.argv.slice(2);
const { counters, layers, mounts } = JSON.parse(readFileSync(file, 'utf8'));
const { files, contentSize } = layers[0];
const { hits, misses, lazyOpens } = mounts[0].ring;
const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const line = (title, ...cells) => `  ${title.padEnd(17)}${cells.map((cell) => cell.padStart(22)).join('')}`;

const starts = [];
for (let at = 0; at < words.length; at += 4) {
  starts.push({ name: NAMES[words[at]], times: words.slice(at + 1, at + 4) });
}

console.log(`
  layer             ${mib(layerBytes)}, ${files} files of ${mib(contentSize)}
  opened            ${misses + lazyOpens} files that had to be filled first, ${hits} that were there
  filled            ${counters.objects} of ${files} files, ${mib(counters.objectBytes)}, readahead included
  read of the layer ${mib(counters.readBytes)} of ${mib(layerBytes)}

${line('', ...starts.map(({ name }) => name))}
${WHATS.map((what, n) => line(what, ...starts.map(({ times }) => `${times[n]} ms`))).join('\n')}

  Of the layer, the mount includes the daemon's start and the TOC's reading, and nothing is cached before the first run.`);
