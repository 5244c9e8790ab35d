// SPDX-License-Identifier: GPL-3.0-or-later

import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { bundleOf } from './bundle.js';
import type { Engine } from './engine.js';

/** crun or runc by itself: with the network of this machine or none, and no more than the OCI runtime specification has. */
export function runtime(program: 'crun' | 'runc'): Engine {
  return {
    command(request, directory) {
      const { path, idFile } = directory;
      const id = request.name ?? basename(path);
      writeFileSync(join(path, 'config.json'), JSON.stringify(bundleOf(request, directory)));
      writeFileSync(idFile, id);
      return [program, 'run', '--bundle', path, id];
    },
    kill: (id) => [program, 'kill', id, 'KILL'],
  };
}
