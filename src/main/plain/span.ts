// SPDX-License-Identifier: GPL-3.0-or-later

/** Bytes of output between restart points, where the setting `index-span` says nothing else: half of it, on average, is decoded to get to a byte. */
export const USUAL_SPAN = 512 << 10;
