// SPDX-License-Identifier: GPL-3.0-or-later

/** What inflates and deflates; the default first. Apart from the engines themselves, which take a while to load. */
export const engineNames = ['libdeflate', 'zlib', 'pako'] as const;
export type EngineName = (typeof engineNames)[number];
