// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { Deflater, type DeflaterOptions } from '../../src/main/convert/deflater.js';
import { convertFile, type FileOptions } from '../../src/main/convert/file.js';
import type { LayerResult } from '../../src/main/convert/layer.js';

/** One for all conversions of a test file: starting workers takes longer than to convert a small layer. */
export const deflater = new Deflater({ workers: 2 });
/** The same for zstd:chunked. */
const zstd = new Deflater({ workers: 2, engine: 'libzstd' });

/** A directory that goes with the test. */
export function scratch(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'crfs-convert-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Converts; with workers of its own if anything is said of them. */
export async function convert(
  source: string,
  destination: string,
  options: Partial<FileOptions> & DeflaterOptions = {},
): Promise<LayerResult> {
  const { workers, engine, level, format } = options;
  const isOwn = (workers ?? engine ?? level) !== undefined;
  const isZstd = format === 'zstd:chunked';
  if (!isOwn) return await convertFile(source, destination, { ...options, deflater: isZstd ? zstd : deflater });
  const own = new Deflater({ workers: 2, ...(isZstd && { engine: 'libzstd' }), ...options });
  try {
    return await convertFile(source, destination, { ...options, deflater: own });
  } finally {
    await own.close();
  }
}
