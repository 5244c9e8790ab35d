// SPDX-License-Identifier: GPL-3.0-or-later

/** Options of `-o`, as mount(8) writes them. */

import { readFileSync } from 'node:fs';
import { look } from '../daemon/processes.js';
import { CrfsError } from '../errors/error.js';
import { splitOptions } from './split-options.js';

/** Options that are made here, and what to write instead. */
const OURS: Readonly<Record<string, string>> = {
  lowerdir: '--lower',
  upperdir: '--upper',
  workdir: '--work',
  plugins: 'the plugin that comes with crfs',
};
/** Labels of SELinux: fuse-overlayfs passes over them where there is none. */
const LABELS = ['context', 'fscontext', 'defcontext', 'rootcontext'];

/**
 * The options of some `-o`, one by one. Throws CRFS_USAGE for those that are made here, CRFS_NOT_FOUND for labels that this
 * kernel has none of.
 */
export function optionsOf(texts: readonly string[]): string[] {
  const options = texts.flatMap(splitOptions);
  for (const option of options) {
    const name = nameOf(option);
    if (Object.hasOwn(OURS, name)) {
      throw new CrfsError('CRFS_USAGE', `-o ${name}: crfs sets it by itself: ${OURS[name]}`);
    }
    if (LABELS.includes(name) && !hasLabels()) {
      throw new CrfsError('CRFS_NOT_FOUND', `-o ${option}: this kernel has no SELinux, which such labels are of`);
    }
  }
  return options;
}

export function nameOf(option: string): string {
  return option.replace(/=.*/s, '');
}

function hasLabels(): boolean {
  return look(() => /\tselinuxfs$/m.test(readFileSync('/proc/filesystems', 'utf8'))) ?? true; // then the kernel decides
}
