// SPDX-License-Identifier: GPL-3.0-or-later

/** The nasty tar, its layer and what GNU tar makes of it, for all tests of a file. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { extractTar } from './extract.js';
import { makeLayer } from './layers.js';
import { writeNastyTar } from './nasty-tar.js';
import { once } from './once.js';
import { describeTree, type Tree } from './tree.js';

export interface NastyLayer {
  readonly tar: string;
  readonly layer: string;
  /** A directory that the tar was extracted to. It is for all: nobody may change it. */
  readonly extracted: string;
  /** What is in there. */
  readonly tree: Tree;
  /** Directories that no entry names, and the root: whoever extracts chooses their times. */
  readonly timeless: readonly string[];
}

/** A directory that is named twice: GNU tar keeps what came first, in a layer the last one wins. */
export const namedTwice = [
  '"dot": mode is 700, expected 750',
  '"dot": uid is 3, expected 0',
  '"dot": mtime is 1500000009000000000, expected 1500000000000000000',
];

/** Makes it once in a process. Needs root. */
export const nastyLayer = once(async (): Promise<NastyLayer> => {
  const place = mkdtempSync(join(tmpdir(), 'crfs-nasty-'));
  process.once('exit', () => rmSync(place, { recursive: true }));
  const { path: tar, impliedDirectories } = writeNastyTar(place);
  const extracted = mkdtempSync(join(place, 'extracted-'));
  await extractTar(tar, extracted);
  const [layer, tree] = [await makeLayer(tar), await describeTree(extracted)];
  return { tar, layer, extracted, tree, timeless: ['.', ...impliedDirectories] };
});
