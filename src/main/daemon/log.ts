// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, constants, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import { CrfsError } from '../errors/error.js';
import { withoutPasswords } from '../errors/passwords.js';
import { privateDirectory, stateDirectory } from '../settings/directories.js';
import type { Settings } from '../settings/options.js';

const ROTATE_AT = 8 << 20;
/** Where lines go. Throws what writing throws. */
type Sink = (line: string) => void;

export function logFile(): string {
  return join(stateDirectory(), 'daemon.log');
}

/**
 * The daemon's log, a JSON object a line: to stderr in the foreground, else to daemon.log, which becomes daemon.log.1
 * when it has grown to 8 MiB. Lines that cannot be written (the disk is full, say) are dropped, and counted: once there is
 * room again, the log says how many are missing.
 */
export function openLog(level: Settings['log-level'], foreground: boolean): Logger {
  const sink: Sink = foreground ? (line) => void writeSync(2, line) : new LogFile().write;
  const base = { pid: process.pid };
  const formatters = { level: (label: string) => ({ level: label }) };
  return pino({ level, base, formatters, timestamp: pino.stdTimeFunctions.isoTime }, { write: dropping(sink) });
}

/** Writes to `sink` what can be written. Never throws, since no mount may fail for want of a log. */
function dropping(sink: Sink): Sink {
  let lost = 0;
  return (line) => {
    try {
      if (lost > 0) {
        sink(
          `${JSON.stringify({ level: 'warn', lost, msg: `${lost} lines are missing here: they could not be written` })}\n`,
        );
      }
      lost = 0;
      sink(withoutPasswords(line));
    } catch {
      lost++;
    }
  };
}

/** A log file, opened when there is something to write, and again after an error. */
class LogFile {
  readonly #path = logFile();
  #fd: number | undefined;
  #size = 0;
  /** The last line was not written to its end. */
  #torn = false;

  /** Throws CRFS_DENIED where its directory could be anybody else's. */
  constructor() {
    try {
      this.#open();
    } catch (error) {
      if (error instanceof CrfsError) throw error; // what else is wrong may be better when there is something to write
    }
  }

  readonly write = (line: string): void => {
    if (this.#size >= ROTATE_AT) this.#rotate();
    const fd = this.#open();
    const bytes = Buffer.from(this.#torn ? `\n${line}` : line);
    try {
      const written = writeSync(fd, bytes);
      this.#size += written;
      this.#torn = written < bytes.length;
    } catch (error) {
      this.#close();
      throw error;
    }
    if (this.#torn) throw new Error('the disk is full');
  };

  #open(): number {
    if (this.#fd !== undefined) return this.#fd;
    privateDirectory(stateDirectory());
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOCTTY;
    this.#fd = openSync(this.#path, flags, 0o600);
    this.#size = fstatSync(this.#fd).size;
    return this.#fd;
  }

  #close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #rotate(): void {
    this.#close();
    this.#size = 0;
    renameSync(this.#path, `${this.#path}.1`);
  }
}
