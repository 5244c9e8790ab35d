// SPDX-License-Identifier: GPL-3.0-or-later

/** Bytes that one byte of deflate yields at most: a match of 258 bytes takes two bits at least (RFC 1951). */
export const INFLATE_LIMIT = 1032;
