// SPDX-License-Identifier: GPL-3.0-or-later

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { Deflater, type DeflaterOptions } from '../../src/main/convert/deflater.js';
import { convertFile, type FileOptions } from '../../src/main/convert/file.js';
import type { LayerResult } from '../../src/main/convert/layer.js';

/** A directory that goes with the test. */
export function scratch(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'crfs-convert-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Converts with a pool of its own. */
export async function convert(
  source: string,
  destination: string,
  options: Partial<FileOptions> & DeflaterOptions = {},
): Promise<LayerResult> {
  const deflater = new Deflater({ workers: 2, ...options });
  try {
    return await convertFile(source, destination, { ...options, deflater });
  } finally {
    await deflater.close();
  }
}
