// SPDX-License-Identifier: GPL-3.0-or-later

/** A layer from a file to a file. */

import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { addAbortSignal } from 'node:stream';
import { CrfsError } from '../errors/error.js';
import { isNoSpace } from '../errors/no-space.js';
import { reasonOf } from '../errors/reason.js';
import { convertLayer, type LayerOptions, type LayerResult } from './layer.js';
import { writeFully } from './spool.js';
import { watched } from './watch.js';

const readSize = 1024 * 1024;

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
  const input = await openInput(source, options.signal);
  return await writeWhole(destination, async (file) => {
    let position = 0;
    const sink = {
      async write(bytes: Uint8Array): Promise<void> {
        await writeFully(file, bytes, position);
        position += bytes.length;
      },
    };
    const name = source === '-' ? 'standard input' : source;
    return await convertLayer(watched(input, options.signal, options.onProgress), sink, { ...options, name });
  });
}

/** Writes a file beside its name-to-be, and renames it when `work` has succeeded. */
export async function writeWhole<T>(path: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.part`;
  const file = await open(temporary, 'wx').catch((error: NodeJS.ErrnoException) => {
    throw new CrfsError('CRFS_USAGE', `cannot write ${path}: ${reasonOf(error)}`, { cause: error });
  });
  try {
    const result = await work(file);
    await file.sync();
    await file.close();
    await rename(temporary, path);
    return result;
  } catch (error) {
    await file.close();
    await rm(temporary, { force: true });
    throw spaceError(path, error);
  }
}

async function openInput(source: string, signal: AbortSignal | undefined): Promise<AsyncIterable<Uint8Array>> {
  if (source === '-') return signal ? addAbortSignal(signal, process.stdin) : process.stdin;
  const file = await open(source).catch((error: NodeJS.ErrnoException) => {
    throw new CrfsError('CRFS_NOT_FOUND', `cannot read ${source}: ${reasonOf(error)}`, { cause: error });
  });
  return createReadStream('', { fd: file, highWaterMark: readSize, ...(signal && { signal }) });
}

/** Says it plainly when the disk is full. */
export function spaceError(path: string, error: unknown): unknown {
  if (error instanceof CrfsError || !isNoSpace(error)) return error;
  return new CrfsError('CRFS_NO_SPACE', `no space left to write ${path}`, { cause: error });
}
