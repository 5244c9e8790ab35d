// SPDX-License-Identifier: GPL-3.0-or-later

/** Files that a layer holds beside those of its tar: eStargz specification, "Prioritized Files and Landmark Files", "TOC". */

/** The TOC. */
export const TOC_NAME = 'stargz.index.json';
/** The landmark behind the files that a container needs when it starts: what stands before it is prefetched. */
export const PREFETCH_LANDMARK = '.prefetch.landmark';
/** The landmark of a layer of which nothing is prefetched. */
export const NO_PREFETCH_LANDMARK = '.no.prefetch.landmark';
