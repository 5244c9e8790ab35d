// SPDX-License-Identifier: GPL-3.0-or-later

/** Layers for tests: made from tars, or from a real Debian. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Deflater } from '../../src/main/convert/deflater.js';
import { convertFile, type FileOptions } from '../../src/main/convert/file.js';
import { top } from './machine.js';
import { run } from './run.js';

/** One for all conversions of a test file: to start a worker takes ten times as long as to convert a small layer. */
export const deflater = new Deflater({ workers: 1 });

/** Makes an eStargz layer of a tar. Returns its path. */
export async function makeLayer(tar: string, options: Partial<FileOptions> = {}): Promise<string> {
  const layer = `${tar}.esgz`;
  await convertFile(tar, layer, { ...options, deflater });
  return layer;
}

/** A Debian root file system with python3, made once and kept in the checkout. */
export async function debian(): Promise<{ readonly layer: string; readonly tar: string }> {
  const directory = join(top, 'demo');
  await run(join(top, 'scripts/debian-layer'), [directory]);
  return { layer: join(directory, 'debian.esgz'), tar: join(directory, 'debian.tar') };
}

/** A part of that, some 30 MB: its files in a directory that is made below the one given, and the tar of them beside it. */
export async function partOfDebian(directory: string): Promise<{ readonly tree: string; readonly tar: string }> {
  const [tree, tar] = [join(directory, 'debian'), join(directory, 'debian.tar')];
  mkdirSync(tree);
  await run('tar', ['-C', tree, '-xf', (await debian()).tar, './etc', './usr/lib/os-release', './usr/lib/python3.11']);
  await run('tar', ['-C', tree, '--format=posix', '-cf', tar, '.']);
  return { tree, tar };
}
