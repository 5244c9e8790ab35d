// SPDX-License-Identifier: GPL-3.0-or-later

import { findProgram } from './program.js';

/** The program that serves layers to the kernel's overlay. */
export const LOWER = 'crfs-lower';

/**
 * Where it is: in the checkout beside bin/, or in libexec of the prefix under whose lib/crfs-plugin this runs.
 * Throws CRFS_NOT_FOUND.
 */
export function findLower(): string {
  return findProgram(LOWER, `../../libexec/crfs-plugin/${LOWER}`);
}
