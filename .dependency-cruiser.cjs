// SPDX-License-Identifier: GPL-3.0-or-later

/** Which folder of src/ may import which: `npm run lint` holds every import against it, those of types included. */

const { readdirSync } = require('node:fs');
const path = require('node:path');

/**
 * Each folder with those that it may import, beside itself and src/native. One may name only folders above it: so there is no
 * way in a circle. A new folder is entered where what it needs is above it.
 */
const FOLDERS = [
  ['main/errors'],
  ['main/disk'],
  ['workers'], // names of engines, and messages
  ['main/blob', 'errors'],
  ['main/environment', 'errors'],
  ['main/schema', 'errors'],
  ['main/formats', 'errors blob'],
  ['main/tar', 'blob formats'],
  ['main/plain', 'errors blob formats tar'],
  ['main/compression', 'blob formats tar'],
  ['main/http', 'errors blob environment schema'],
  ['main/output', 'errors http'],
  ['main/policy', 'errors environment schema'],
  ['main/registry', 'errors blob environment schema http policy'],
  ['main/sources', 'errors blob formats tar http output registry'],
  ['main/images', 'errors disk blob schema formats tar compression policy registry sources'],
  ['main/index', 'errors blob formats'],
  ['main/fetch', 'errors disk blob formats sources index workers'],
  ['main/cache', 'errors disk blob index fetch'],
  ['main/attached', 'errors blob formats schema http registry images'],
  ['main/profile', 'errors disk blob schema registry index attached'],
  ['main/waterfall', 'errors disk blob schema output fetch profile'],
  // Threads: each folder of src/workers is one pool's, but for what pools share.
  ['workers/decode', 'errors blob formats index workers'],
  ['workers/deflate', 'workers'],
  ['workers/board', 'errors workers'],
  ['workers/index', 'errors blob disk formats plain sources index cache workers/board'],
  ['workers/prefetch', 'index'],
  ['workers/serve', 'errors disk index fetch workers workers/decode workers/board workers/prefetch'],
  ['workers/verify', 'errors formats index workers/decode workers/serve'],
  ['main/settings', 'errors disk environment plain workers'],
  ['main/convert', 'errors blob schema formats tar compression output registry images index workers workers/deflate'],
  [
    'main/inspect',
    'errors disk blob environment schema formats plain output registry sources images index cache attached workers/verify settings',
  ],
  ['main/version'],
  [
    'main/daemon',
    'errors disk blob formats plain http registry sources images index fetch cache attached profile waterfall workers workers/board workers/index workers/prefetch workers/serve settings version',
  ],
  ['main/mount', 'errors sources daemon settings'],
  ['main/run', 'errors disk environment output registry settings daemon mount'],
  ['main/setup', 'errors disk blob environment schema daemon'],
  ['main/doctor', 'errors disk environment output cache settings inspect daemon mount setup'],
  [
    'main/commands',
    'errors disk blob environment formats plain output registry sources images index cache attached profile waterfall workers settings convert inspect version daemon mount run setup doctor',
  ],
  ['main/manual'], // of commands that are handed to it, at build time
  ['main', 'errors output version daemon commands'], // cli.ts, where the process begins, and program.ts
];

/** A file of a folder, or below it; of a folder that has others in the table, in itself alone. */
function files(folder) {
  if (folder === 'main/version') return '^src/main/version\\.ts$';
  if (folder === 'main') return '^src/main/(cli|program)\\.ts$';
  return folder.includes('/') ? `^src/${folder}/` : `^src/${folder}/[^/]+$`;
}

function named(words = '') {
  const known = words.split(' ').filter(Boolean);
  return known.map((word) => (word.startsWith('workers') ? word : `main/${word}`));
}

const above = new Set();
for (const [folder, words] of FOLDERS) {
  const wrong = named(words).filter((other) => !above.has(other));
  if (wrong.length > 0)
    throw new Error(`.dependency-cruiser.cjs: ${folder} may import only what stands above it: ${wrong.join(', ')}`);
  above.add(folder);
}
for (const side of ['main', 'workers']) {
  for (const { name } of readdirSync(path.join(__dirname, 'src', side), { withFileTypes: true }).filter((one) =>
    one.isDirectory(),
  ))
    if (!above.has(`${side}/${name}`)) throw new Error(`.dependency-cruiser.cjs: enter the folder src/${side}/${name}`);
}

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      comment: 'No file needs itself, not even for a type.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'native-below-all',
      severity: 'error',
      from: { path: '^src/native/' },
      to: { path: '^src/(main|workers)' },
    },
    { name: 'no-tests-in-src', severity: 'error', from: { path: '^src/' }, to: { path: '^(test|bench)/' } },
    ...FOLDERS.map(([folder, words]) => ({
      name: folder,
      severity: 'error',
      comment: `src/${folder} imports what the table in .dependency-cruiser.cjs says, and nothing else of src/.`,
      from: { path: files(folder) },
      to: { path: '^src/', pathNot: [folder, ...named(words)].map(files).concat('^src/native/') },
    })),
  ],
  options: { parser: 'swc', tsPreCompilationDeps: true, doNotFollow: { path: 'node_modules' } },
};
