// SPDX-License-Identifier: GPL-3.0-or-later

/** Converts a layer from a file to a file. */

import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { addAbortSignal, type Readable } from 'node:stream';
import { fileSink } from '../blob/file-sink.js';
import { writeWhole } from '../blob/write-whole.js';
import { CrfsError } from '../errors/error.js';
import { reasonOf } from '../errors/reason.js';
import { convertLayer, type LayerOptions, type LayerResult } from './layer.js';
import { unmatchedWarnings } from './patterns.js';
import { watched } from './watch.js';

const READ_SIZE = 1024 * 1024;

export interface FileOptions extends Omit<LayerOptions, 'name'> {
  /** Ends the conversion when it aborts. */
  readonly signal?: AbortSignal;
  /** Told of each piece of the input how many bytes it has. */
  readonly onProgress?: (bytes: number) => void;
}

/**
 * Converts a tar, plain or compressed, to a layer. `source` may be `-` for stdin.
 * The layer appears under its name when it is whole; nothing is left behind if it fails. Throws CRFS_NOT_FOUND,
 * CRFS_NO_SPACE, CRFS_BAD_LAYER, and the signal's reason.
 */
export async function convertFile(source: string, destination: string, options: FileOptions): Promise<LayerResult> {
  return await writeWhole(destination, async (file) => {
    const input = await openInput(source, options.signal);
    input.on('error', () => undefined); // met where the input is read; the signal may abort before it is
    try {
      const name = source === '-' ? 'standard input' : source;
      const pieces = watched(input, options.signal, options.onProgress);
      const result = await convertLayer(pieces, fileSink(file), { ...options, name });
      return { ...result, warnings: [...result.warnings, ...unmatchedWarnings(result.unmatched)] };
    } finally {
      input.destroy(); // which may not have been read at all
    }
  });
}

async function openInput(source: string, signal: AbortSignal | undefined): Promise<Readable> {
  if (source === '-') return signal ? addAbortSignal(signal, process.stdin) : process.stdin;
  const file = await open(source).catch((error: NodeJS.ErrnoException) => {
    throw new CrfsError('CRFS_NOT_FOUND', `cannot read ${source}: ${reasonOf(error)}`, { cause: error });
  });
  return createReadStream('', { fd: file, highWaterMark: READ_SIZE, ...(signal && { signal }) });
}
