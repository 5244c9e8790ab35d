// SPDX-License-Identifier: GPL-3.0-or-later

import { join } from 'node:path';
import { Client } from 'undici';
import { CrfsError } from '../errors/error.js';
import { runtimeDirectory } from '../settings/directories.js';
import { API_SOCKET } from './api.js';

const ANSWER_WITHIN_MS = 10_000;

/** Asks the daemon of this user. Returns undefined if none runs; throws CRFS_UNREACHABLE if it does not answer. */
export async function askDaemon(method: 'GET' | 'POST', path: string): Promise<string | undefined> {
  const client = new Client('http://crfs', {
    socketPath: join(runtimeDirectory(), API_SOCKET),
    headersTimeout: ANSWER_WITHIN_MS,
    bodyTimeout: ANSWER_WITHIN_MS,
  });
  try {
    const response = await client.request({ method, path });
    return await response.body.text();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined;
    throw new CrfsError('CRFS_UNREACHABLE', `the daemon does not answer: ${message}`, { cause: error });
  } finally {
    await client.destroy();
  }
}
