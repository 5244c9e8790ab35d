// SPDX-License-Identifier: GPL-3.0-or-later

/** How far long work is: a bar for each step where a person looks on, a line where not. */

import { MultiBar } from 'cli-progress';
import { escapeLine } from './terminal.js';
import { cutTo, formatBytes } from './text.js';

/** To the end of the screen: a line may be where several bars were. */
const CLEAR_BELOW = '\x1b[J';
/** Columns that say what a bar is of. */
const LEAST_WHAT = 16;

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
  readonly note: (line: string) => void;
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

/**
 * Bars that leave no trace: no mode of the terminal is changed, so that it is as it was found whatever ends the process, and
 * lines are made as long as the terminal is wide.
 */
function bars(stream: NodeJS.WriteStream): Progress {
  const multi = new MultiBar({
    stream,
    format: ({ barsize = 0 }, { progress, maxWidth }, { what, state }) =>
      barLine(what, state, Math.round(progress * barsize), barsize, maxWidth),
    barsize: 16,
    hideCursor: false,
    linewrap: true,
    forceRedraw: true,
    clearOnComplete: true,
  });
  const above = (line: string, to: NodeJS.WriteStream): void => {
    if (multi.isActive && to.isTTY) multi.log(`${CLEAR_BELOW}${line}\n`);
    else print(line, to);
  };
  const note = (line: string): void => above(escapeLine(line), stream);
  const close = (): void => {
    process.off('exit', close);
    if (!multi.isActive) return;
    multi.update(); // writes what was printed since the last time
    multi.stop();
  };
  process.on('exit', close);
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
    close,
  };
}

/** `what [===---] state` in less than `width` columns: `what` is cut in its middle, then the bar is left out. */
function barLine(what: string, state: string, done: number, barsize: number, width: number): string {
  const bar = ` [${'='.repeat(done)}${'-'.repeat(barsize - done)}] ${state}`;
  const room = width - 1 - bar.length;
  return room >= LEAST_WHAT ? cutTo(what, room) + bar : cutTo(`${what} ${state}`, width - 1);
}
