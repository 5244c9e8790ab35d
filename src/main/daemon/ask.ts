// SPDX-License-Identifier: GPL-3.0-or-later

import { existsSync } from 'node:fs';
import type { Client } from 'undici';
import { CrfsError } from '../errors/error.js';
import { cacheDirectory } from '../settings/directories.js';
import type { Refusal } from './api.js';
import { API_SOCKET, SocketDirectory } from './socket-directory.js';
import type { Status } from './status.js';

const ANSWER_WITHIN_MS = 10_000;
/** So often is asked again where a daemon ends before it has answered: who asks then finds another one, or none. */
const TRIES = 3;
/** What ends a connection at the other side: by the kernel's name, and by undici's. */
const ENDED: ReadonlySet<string | undefined> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/**
 * Has the daemon take a mount away, by the `pid` that the status tells of it: also one in another mount namespace, whose
 * mountpoint nobody sees here. Resolves to false where no daemon runs or it has no such mount, else to true once the
 * mount has gone. Throws CRFS_UNREACHABLE.
 */
export async function endMount(pid: number): Promise<boolean> {
  return (await askDaemon('POST', `/umount?pid=${pid}`)) === 'true';
}

/** Asks the daemon of this user. Returns undefined if none runs; throws CRFS_UNREACHABLE if it does not answer. */
export async function askDaemon(
  method: 'GET' | 'POST',
  path: string,
  withinMs = ANSWER_WITHIN_MS,
): Promise<string | undefined> {
  for (let left = TRIES - 1; ; left--) {
    const client = await connect({ headersTimeout: withinMs, bodyTimeout: withinMs });
    if (client === undefined) return undefined;
    try {
      const response = await client.request({ method, path });
      return await response.body.text();
    } catch (error) {
      if (left === 0 || !isEnd(error)) return undefinedIfNoneRuns(error);
    } finally {
      await client.destroy();
    }
  }
}

/** What the daemon tells of itself; undefined if none runs. Throws CRFS_UNREACHABLE. */
export async function askStatus(): Promise<Status | undefined> {
  const answer = await askDaemon('GET', '/status');
  return answer === undefined ? undefined : (JSON.parse(answer) as Status);
}

/**
 * Asks the daemon for what it may refuse. Resolves to its answer; undefined if none runs. Throws CRFS_UNREACHABLE, and why it
 * refuses.
 */
export async function askToDo<T>(path: string, withinMs: number): Promise<T | undefined> {
  const answer = await askDaemon('POST', path, withinMs);
  if (answer === undefined) return undefined;
  const { error, ...done } = JSON.parse(answer) as Partial<Refusal> & T;
  if (error) throw new CrfsError(error.code, error.message);
  return done as T;
}

/**
 * Follows what the daemon of this user tells as it comes, until it ends it or `signal` aborts: pieces of a text. Resolves
 * to undefined if none runs, and to the status if that is not 200. With a `question`, that is posted. Throws CRFS_UNREACHABLE.
 */
export async function followDaemon(
  path: string,
  signal: AbortSignal,
  question?: string,
): Promise<AsyncIterable<Buffer> | number | undefined> {
  const client = await connect({ bodyTimeout: 0 });
  if (client === undefined) return undefined;
  try {
    const how = question === undefined ? { method: 'GET' as const } : { method: 'POST' as const, body: question };
    const { statusCode, body } = await client.request({ ...how, path, signal });
    if (statusCode === 200) return body;
    await client.destroy();
    return statusCode;
  } catch (error) {
    return undefinedIfNoneRuns(error);
  }
}

/** Whether an error says that the daemon has ended while it was listened to. */
export function isEnd(error: unknown): boolean {
  return ENDED.has((error as NodeJS.ErrnoException).code);
}

function undefinedIfNoneRuns(error: unknown): undefined {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined;
  throw new CrfsError('CRFS_UNREACHABLE', `the daemon does not answer: ${message}`, { cause: error });
}

/** HTTP is loaded when somebody is asked: a daemon that starts asks nobody. Undefined: there never was a daemon. */
async function connect(timeouts: Client.Options): Promise<Client | undefined> {
  if (!existsSync(cacheDirectory())) return undefined;
  const { Client: HttpClient } = await import('../http/undici.js');
  const socketPath = new SocketDirectory().path(API_SOCKET); // open as long as this process asks
  return new HttpClient('http://crfs', { socketPath, ...timeouts });
}
