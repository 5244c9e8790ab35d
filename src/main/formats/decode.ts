// SPDX-License-Identifier: GPL-3.0-or-later

import { addon, type StreamForm } from '../../native/addon.js';
import { LayerFault } from './fault.js';
import type { Restart } from './points.js';

const OUTPUT_BYTES = 256 * 1024;

/** What a blob is compressed with, if it is. */
export type Form = StreamForm | 'none';

/** By the magic number that a blob begins with, of which 4 bytes are enough; a skippable zstd frame has one of its own. */
export function formOf(head: Uint8Array): Form {
  const digits = Buffer.from(head.subarray(0, 4)).toString('hex');
  if (digits.startsWith('1f8b08')) return 'gzip';
  return /^(28b52ffd|5[0-9a-f]2a4d18)$/.test(digits) ? 'zstd' : 'none';
}

export interface DecodeOptions {
  /** What to call the stream in messages. */
  readonly what?: string;
  /** Whether zstd may take windows of up to 2 GiB of memory, as a person's own file may need; else up to 128 MiB. */
  readonly anyWindow?: boolean;
  /** Where in a gzip stream the input begins, if that is not its start. */
  readonly restart?: Restart | undefined;
}

/**
 * What a stream holds, in pieces of up to 256 KiB that stay as they are, or those that it came in. Reads the input to its end.
 * Throws LayerFault where it is corrupt, or ends too early.
 */
export async function* decoded(
  input: AsyncIterable<Uint8Array>,
  form: Form,
  { what = `the ${form} stream`, anyWindow = false, restart }: DecodeOptions = {},
): AsyncGenerator<Uint8Array> {
  if (form === 'none') {
    yield* input;
    return;
  }
  const decoder = restart
    ? new addon.Decoder('restart', restart.bit, restart.window)
    : new addon.Decoder(form, anyWindow);
  try {
    let room: Uint8Array = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
    let ended = false;
    for await (const piece of input) {
      let isFull = false; // more may come out than went in
      for (let rest = piece; rest.length > 0 || isFull; ) {
        const [used, made, whole] = await decoder.decode(rest, room).catch((error: Error) => {
          throw new LayerFault(`${what} cannot be decoded: ${error.message}`, { cause: error });
        });
        rest = rest.subarray(used);
        ended = whole;
        isFull = made === room.length;
        if (made > 0) yield room.subarray(0, made);
        room = isFull ? Buffer.allocUnsafeSlow(OUTPUT_BYTES) : room.subarray(made);
      }
    }
    if (!ended) throw new LayerFault(`${what} ends too early`);
  } finally {
    decoder.close();
  }
}
