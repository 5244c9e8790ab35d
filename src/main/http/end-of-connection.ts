// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Where a server hangs up while the last bytes wait for their reader, undici 7 has its parser paused, and fails an assertion in a
 * listener of the connection, which ends the process. So the parser goes on before undici hears of the end: nothing can follow that
 * would have to be kept. undici 8 does the like by itself, and needs Node.js 22.
 */

import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import symbols from 'undici/lib/core/symbols.js';

interface Parser {
  paused: boolean;
  readonly ptr: unknown;
  readonly llhttp: { llhttp_resume(ptr: unknown): void };
  resume(): void;
}

type Connected = Socket & { readonly [symbols.kParser]?: Parser | null };

/** An answer that says its length pauses once more at the end of its last bytes, before it is complete. */
const PAUSES = 2;

subscribe('undici:client:connected', (message) => {
  const { socket } = message as { readonly socket: Connected };
  socket.prependListener('end', () => {
    const parser = socket[symbols.kParser];
    for (let left = PAUSES; left > 0; left--) parser?.resume(); // which does nothing where it is not paused
    if (!parser?.paused || socket.destroyed) return;
    parser.llhttp.llhttp_resume(parser.ptr); // of one without a length nothing but the end is the end
    parser.paused = false;
  });
});
