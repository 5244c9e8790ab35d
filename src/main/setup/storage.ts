// SPDX-License-Identifier: GPL-3.0-or-later

/** How podman keeps images, read off its files: podman itself, once asked, makes what is not there yet, for good. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Variables } from '../environment/environment.js';
import type { Places } from './places.js';
import { textOf } from './steps.js';
import { storageIn, storesIn } from './storage-conf.js';

export interface Storage {
  /** The storage.conf that counts, whether it is there or not. */
  readonly conf: string;
  readonly isConfThere: boolean;
  /** As it says: `overlay`, `vfs`; undefined: podman chooses. */
  readonly driver: string | undefined;
  readonly graphRoot: string;
  /** As written, such as `/run/store:ref`. */
  readonly stores: readonly string[];
}

/** What the files say. Throws CRFS_USAGE for what is no storage.conf. */
export function storageOf({ storageConf, inherited, dropIn, graphRoot, isSystem }: Places, env: Variables): Storage {
  const conf = inherited !== undefined && textOf(storageConf) === undefined ? inherited : storageConf;
  const text = textOf(conf);
  const said = text === undefined ? {} : storageIn(text, conf);
  const root = (isSystem ? undefined : said.rootless_storage_path) || said.graphroot;
  const files = [conf, dropIn].map((path) => [path, textOf(path)] as const);
  return {
    conf,
    isConfThere: text !== undefined,
    driver: said.driver || undefined,
    graphRoot: root === undefined ? graphRoot : expand(root, env),
    stores: files.flatMap(([path, one]) => (one === undefined ? [] : storesIn(one, path))),
  };
}

/** Whether podman has chosen how it keeps layers. */
export function hasRun(graphRoot: string): boolean {
  return existsSync(join(graphRoot, 'libpod'));
}

/** podman takes `$HOME`, `${HOME}` and the like in paths. */
function expand(path: string, env: Variables): string {
  const variables: Variables = { UID: String(process.geteuid?.()), ...env };
  return path.replaceAll(/\$(?:\{(\w+)\}|(\w+))/g, (_, braced?: string, bare?: string) => {
    return variables[braced ?? bare ?? ''] ?? '';
  });
}
