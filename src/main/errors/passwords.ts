// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * A text for people, or JSON for programs, without the user and password of any URL in it: `https://*@host/layer`. To be
 * applied wherever a text leaves the process, since URLs come along in errors of every kind; csrc/client/report.c does the
 * same. Up to the last `@` of the authority, as URL parsers have it.
 */
export function withoutPasswords(text: string): string {
  return text.replace(/(https?:\/\/)(?:[^\s/?#"\\]|\\.)*@/gi, '$1*@');
}
