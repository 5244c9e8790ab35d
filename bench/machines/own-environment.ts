// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** Makes the directories of a user who has nothing yet below `root`, and returns the variables that name them. */
export function ownEnvironment(root: string): NodeJS.ProcessEnv {
  const own = (name: string): string => {
    const path = join(root, name);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  };
  const homes = ['cache', 'state', 'config', 'data'].map((name) => [`XDG_${name.toUpperCase()}_HOME`, own(name)]);
  return { HOME: own('home'), ...Object.fromEntries(homes), XDG_RUNTIME_DIR: own('runtime') };
}
