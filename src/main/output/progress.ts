// SPDX-License-Identifier: GPL-3.0-or-later

/** How far long work is: bars where a person looks on, lines where not. */

import { MultiBar } from 'cli-progress';
import { escapeLine } from './terminal.js';
import { formatBytes } from './text.js';

/** One piece of work, counted in bytes. */
export interface Step {
  advance(bytes: number): void;
  done(): void;
}

export interface Progress {
  /** `what` says what is done, `size` how many bytes there are of it. */
  start(what: string, size: number): Step;
  /** Takes the bars away. */
  close(): void;
}

const silentStep: Step = { advance: () => undefined, done: () => undefined };

export const silent: Progress = { start: () => silentStep, close: () => undefined };

/** Bars if `stream` is a terminal, a line per step otherwise. */
export function progressOn(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? bars(stream) : lines(stream);
}

/** Bars if `stream` is a terminal, nothing otherwise. */
export function barsOn(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? bars(stream) : silent;
}

function lines(stream: NodeJS.WriteStream): Progress {
  return {
    start(what, size) {
      stream.write(`${escapeLine(what)}: ${formatBytes(size)}\n`);
      return silentStep;
    },
    close: () => undefined,
  };
}

function bars(stream: NodeJS.WriteStream): Progress {
  const multi = new MultiBar({
    stream,
    format: '{what} [{bar}] {at} of {all}',
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    linewrap: false,
  });
  return {
    start(what, size) {
      let at = 0;
      const texts = { what: escapeLine(what), at: formatBytes(0), all: formatBytes(size) };
      const bar = multi.create(Math.max(1, size), 0, texts);
      return {
        advance(bytes) {
          at += bytes;
          bar.update(at, { at: formatBytes(at) });
        },
        done: () => multi.remove(bar),
      };
    },
    close: () => multi.stop(),
  };
}
