// SPDX-License-Identifier: GPL-3.0-or-later

/** How far a conversion is: bars where a person looks on, a line per layer where not. */

import { MultiBar } from 'cli-progress';
import { escapeLine } from '../output/terminal.js';
import { formatBytes } from '../output/text.js';

/** One layer on its way. */
export interface Step {
  /** So many bytes of the source have been read. */
  advance(bytes: number): void;
  /** The layer is done; `what` says with what result. */
  done(what: string): void;
}

export interface Progress {
  /** A layer starts; `size` is its source's, in bytes, where that is known. */
  start(name: string, size: number | undefined): Step;
  /** Something that a person should know. */
  note(text: string): void;
  /** Takes the bars away. */
  close(): void;
}

const silentStep: Step = { advance: () => undefined, done: () => undefined };

export const silent: Progress = { start: () => silentStep, note: () => undefined, close: () => undefined };

/** Bars if `stream` is a terminal, lines otherwise. */
export function progressOn(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? bars(stream) : lines(stream);
}

function lines(stream: NodeJS.WriteStream): Progress {
  return {
    start(name, size) {
      stream.write(`${escapeLine(name)}: converting${size === undefined ? '' : ` ${formatBytes(size)}`}\n`);
      return { advance: () => undefined, done: (what) => stream.write(`${escapeLine(name)}: ${what}\n`) };
    },
    note: (text) => stream.write(`${escapeLine(text)}\n`),
    close: () => undefined,
  };
}

function bars(stream: NodeJS.WriteStream): Progress {
  const multi = new MultiBar({
    stream,
    format: '{name} [{bar}] {read}{state}',
    barsize: 30,
    hideCursor: true,
    clearOnComplete: false,
    linewrap: false,
  });
  return {
    start(name, size) {
      const payload = {
        name: escapeLine(name),
        read: formatBytes(0),
        state: size === undefined ? '' : ` of ${formatBytes(size)}`,
      };
      const bar = multi.create(size ?? 1, 0, payload);
      return {
        advance: (bytes) => bar.update(size === undefined ? 0 : bytes, { read: formatBytes(bytes) }),
        done(what) {
          bar.update(bar.getTotal(), { state: `: ${what}` });
          bar.stop();
        },
      };
    },
    note: (text) => multi.log(`${escapeLine(text)}\n`),
    close: () => multi.stop(),
  };
}
