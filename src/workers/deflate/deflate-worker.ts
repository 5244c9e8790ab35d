// SPDX-License-Identifier: GPL-3.0-or-later

/** Entry of the pool's workers: deflates the members of one task and hashes their chunks. */

import { createHash } from 'node:crypto';
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { engines, memberBound } from './engines.js';
import type { DeflateResult, DeflateTask } from './task.js';

const digestBytes = 32;

export default function deflate(task: DeflateTask): ReturnType<typeof move> {
  const { input, memberEnds, chunks } = task;
  const engine = engines[task.engine];
  const output = new Uint8Array(outputBound(memberEnds));
  const outputEnds = new Uint32Array(memberEnds.length);
  let written = 0;
  let start = 0;
  for (const [index, end] of memberEnds.entries()) {
    written += engine(input.subarray(start, end), output.subarray(written), task.level);
    outputEnds[index] = written;
    start = end;
  }

  const digests = new Uint8Array((chunks.length / 2) * digestBytes);
  for (let chunk = 0; chunk < chunks.length / 2; chunk++) {
    const bytes = input.subarray(chunks[2 * chunk], chunks[2 * chunk + 1]);
    digests.set(createHash('sha256').update(bytes).digest(), chunk * digestBytes);
  }

  const result: DeflateResult = { input, output: output.subarray(0, written), memberEnds: outputEnds, digests };
  return move({ [transferableSymbol]: [input.buffer, output.buffer], [valueSymbol]: result });
}

function outputBound(memberEnds: Uint32Array): number {
  let bound = 0;
  let start = 0;
  for (const end of memberEnds) {
    bound += memberBound(end - start);
    start = end;
  }
  return bound;
}
