// SPDX-License-Identifier: GPL-3.0-or-later

// Builds binding.gyp. Node's headers are taken from beside the node that runs this, if they stand there, so that a
// machine with headers installed needs no download.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const prefix = dirname(dirname(process.execPath));
const gyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
const headers = existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : [];
const verb = existsSync('build/Makefile') ? ['build'] : ['configure', 'build'];

const result = spawnSync(process.execPath, [gyp, ...verb, ...headers, '-j', 'max', '--loglevel=warn'], {
  stdio: 'inherit',
});
process.exit(result.status ?? 1);
