// SPDX-License-Identifier: GPL-3.0-or-later

import type { Decoder } from './decoder.js';

/** For what is not compressed. */
export const none: Decoder = {
  decode: (input, output) => copy(input, output),
  begin: () => ({
    step: (input, output) => {
      const length = copy(input, output);
      return [length, length];
    },
    close: () => undefined,
  }),
};

function copy(input: Uint8Array, output: Uint8Array): number {
  const part = input.subarray(0, output.length);
  output.set(part);
  return part.length;
}
