// SPDX-License-Identifier: GPL-3.0-or-later

/** What becomes of a layer that has no TOC: the setting `lazy`. */
export const lazyNames = ['require', 'index'] as const;
export type LazyName = (typeof lazyNames)[number];
