// SPDX-License-Identifier: GPL-3.0-or-later

/** Files that a layer holds beside those of its tar: eStargz specification, "Prioritized Files and Landmark Files", "TOC". */

export const TOC_NAME = 'stargz.index.json';
/** What stands before it in the layer is wanted at start. */
export const PREFETCH_LANDMARK = '.prefetch.landmark';
/** Nothing is wanted at start. */
export const NO_PREFETCH_LANDMARK = '.no.prefetch.landmark';
