// SPDX-License-Identifier: GPL-3.0-or-later

import { renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import { stateDirectory } from '../settings/directories.js';
import type { Settings } from '../settings/options.js';

const ROTATE_AT = 8 << 20;
const LOOK_EVERY_MS = 60_000;

export function logFile(): string {
  return join(stateDirectory(), 'daemon.log');
}

/**
 * The daemon's log, a JSON object a line: to stderr in the foreground, else to daemon.log, which becomes daemon.log.1
 * when it has grown to 8 MiB.
 */
export function openLog(level: Settings['log-level'], foreground: boolean): Logger {
  const options = { level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime };
  if (foreground) return pino(options, pino.destination({ fd: 2, sync: true }));
  const file = logFile();
  rotate(file);
  const destination = pino.destination({ dest: file, sync: true, mode: 0o600 });
  setInterval(() => {
    if (rotate(file)) destination.reopen();
  }, LOOK_EVERY_MS).unref();
  return pino(options, destination);
}

function rotate(file: string): boolean {
  const full = (statSync(file, { throwIfNoEntry: false })?.size ?? 0) >= ROTATE_AT;
  if (full) renameSync(file, `${file}.1`);
  return full;
}
