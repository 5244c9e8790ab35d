// SPDX-License-Identifier: GPL-3.0-or-later

/** How far long work is: a bar where a person looks on, lines where not. */

import { SingleBar } from 'cli-progress';
import { escapeLine } from './terminal.js';
import { formatBytes } from './text.js';

/** One piece of work, counted in bytes. */
export interface Step {
  advance(bytes: number): void;
}

export interface Progress {
  /** `what` says what is done, `size` how many bytes there are of it. */
  start(what: string, size: number): Step;
  /** Takes the bar away until there is more progress: other output may come. */
  clear(): void;
  /** Takes the bar away for good. */
  close(): void;
}

const silentStep: Step = { advance: () => undefined };

export const silent: Progress = { start: () => silentStep, clear: () => undefined, close: () => undefined };

/** A bar if `stream` is a terminal, a line per step otherwise. */
export function progressOn(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? bar(stream) : lines(stream);
}

/** A bar if `stream` is a terminal, nothing otherwise. */
export function barOn(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? bar(stream) : silent;
}

function lines(stream: NodeJS.WriteStream): Progress {
  return {
    ...silent,
    start(what, size) {
      stream.write(`${escapeLine(what)}: ${formatBytes(size)}\n`);
      return silentStep;
    },
  };
}

/** One bar over all steps, which names the one that moved last. Nothing else may be written while it is there. */
function bar(stream: NodeJS.WriteStream): Progress {
  const line = new SingleBar({
    stream,
    format: '{what} [{bar}] {state}',
    barsize: 30,
    hideCursor: true,
    clearOnComplete: true,
    linewrap: false,
  });
  let [at, all] = [0, 0];
  const show = (what: string): void => {
    const texts = { what, state: `${formatBytes(at)} of ${formatBytes(all)}` };
    if (!line.isActive) line.start(all, at, texts);
    line.setTotal(all);
    line.update(at, texts);
  };
  const clear = (): void => {
    if (line.isActive) line.stop();
  };
  return {
    start(what, size) {
      const shown = escapeLine(what);
      all += size;
      show(shown);
      return {
        advance(bytes) {
          at += bytes;
          show(shown);
        },
      };
    },
    clear,
    close: clear,
  };
}
