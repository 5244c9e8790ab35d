// SPDX-License-Identifier: GPL-3.0-or-later

/** How far long work is: a bar for each step where a person looks on, a line where not. */

import { MultiBar } from 'cli-progress';
import { escapeLine } from './terminal.js';
import { formatBytes } from './text.js';

/** One piece of work, counted in bytes. */
export interface Step {
  /** So many more bytes are done. */
  advance(bytes: number): void;
  /** All of it is done; `line`, if there is one, says with what result. */
  done(line?: string): void;
}

export interface Progress {
  /** `what` says what is done; `size`, in bytes, how much of it there is, where that is known. */
  start(what: string, size: number | undefined): Step;
  /** Something that a person should know meanwhile. */
  note(line: string): void;
  /** Writes a line of output, as it is; no bar stands in its way. */
  print(line: string, stream: NodeJS.WriteStream): void;
  /** Takes the bars away. */
  close(): void;
}

const silentStep: Step = { advance: () => undefined, done: () => undefined };

/** No progress, but what is printed. */
export const silent: Progress = {
  start: () => silentStep,
  note: () => undefined,
  print,
  close: () => undefined,
};

/** Bars if `stream` is a terminal, lines otherwise. */
export function progressOn(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? bars(stream) : lines(stream);
}

function print(line: string, stream: NodeJS.WriteStream): void {
  stream.write(`${line}\n`);
}

function lines(stream: NodeJS.WriteStream): Progress {
  const note = (line: string): void => print(escapeLine(line), stream);
  return {
    ...silent,
    start(what, size) {
      note(size === undefined ? what : `${what}, ${formatBytes(size)}`);
      return { ...silentStep, done: (line) => line !== undefined && note(line) };
    },
    note,
  };
}

function bars(stream: NodeJS.WriteStream): Progress {
  const multi = new MultiBar({
    stream,
    format: '{what} [{bar}] {state}',
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    linewrap: false,
  });
  const above = (line: string, to: NodeJS.WriteStream): void => {
    if (multi.isActive && to.isTTY) multi.log(`${line}\n`);
    else print(line, to);
  };
  const note = (line: string): void => above(escapeLine(line), stream);
  return {
    start(what, size) {
      const state = (bytes: number): string =>
        formatBytes(bytes) + (size === undefined ? '' : ` of ${formatBytes(size)}`);
      const bar = multi.create(size ?? 1, 0, { what: escapeLine(what), state: state(0) });
      let bytes = 0;
      return {
        advance(more) {
          bytes += more;
          bar.update(size === undefined ? 0 : bytes, { state: state(bytes) });
        },
        done(line) {
          if (line !== undefined) note(line);
          multi.remove(bar);
        },
      };
    },
    note,
    print: above,
    close() {
      if (!multi.isActive) return;
      multi.update(); // writes what was printed since the last time
      multi.stop();
    },
  };
}
