// SPDX-License-Identifier: GPL-3.0-or-later

/** What becomes of a layer that has no TOC, and of which no index is here: the setting `lazy`. */
export const lazyNames = ['index', 'require'] as const;
export type LazyName = (typeof lazyNames)[number];
