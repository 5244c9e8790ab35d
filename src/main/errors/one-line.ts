// SPDX-License-Identifier: GPL-3.0-or-later

/** Text of somebody else on one short line, without control characters. */
export function oneLine(text: string, limit = 200): string {
  const clean = text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_C}]+/gu, ' ').trim();
  return clean.length > limit ? `${clean.slice(0, limit)}…` : clean;
}
