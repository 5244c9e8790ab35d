// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, openSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** What there is in place of a daemon that does not run, or ends before it has answered. */
const NOBODY = ['ENOENT', 'ECONNREFUSED', 'ECONNRESET'];

/**
 * Asks the daemon of a cache, as `crfs` does: a process for every question would take most of the time of some tests.
 * Resolves to undefined where none answers. The path may be longer than an address of a socket.
 */
export async function askDaemon(
  cache: string,
  path: string,
  method: 'GET' | 'POST' = 'GET',
): Promise<string | undefined> {
  let directory: number | undefined;
  try {
    directory = openSync(join(cache, 'crfs-plugin'), 'r');
    return await ask(`/proc/self/fd/${directory}/api.sock`, path, method);
  } catch (error) {
    if (NOBODY.includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  } finally {
    if (directory !== undefined) closeSync(directory);
  }
}

async function ask(socketPath: string, path: string, method: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    request({ socketPath, path, method, agent: false }, (response) => text(response).then(resolve, reject))
      .on('error', reject)
      .end();
  });
}
