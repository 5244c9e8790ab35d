// SPDX-License-Identifier: GPL-3.0-or-later

/** Text of strangers, made harmless for terminals: control characters, and those that turn the direction of writing. */

import { styleText } from 'node:util';

const UNSAFE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_C}]/gu;
const UNSAFE_OR_BACKSLASH = /[\\\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_C}]/gu;
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };

function escapeCharacter(character: string): string {
  const code = character.charCodeAt(0); // none of them lies beyond U+FFFF
  return SHORT[character] ?? `\\u${code.toString(16).padStart(4, '0')}`;
}

/** A name as one word of a line: what is not printable, and backslashes, as escapes of JSON. No two names look the same. */
export function escapeName(name: string): string {
  return name.replace(UNSAFE_OR_BACKSLASH, escapeCharacter);
}

/** A message as one line. */
export function escapeLine(line: string): string {
  return line.replace(UNSAFE, escapeCharacter);
}

/** JSON that is as harmless: what JSON.stringify leaves as it is, and a terminal would not, is escaped. */
export function toJson(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, escapeCharacter);
}

export type Style = Parameters<typeof styleText>[0];
export type Painter = (style: Style, text: string) => string;

/** Colours where a person looks on who wants them: https://no-color.org */
export function painterFor(stream: NodeJS.WriteStream): Painter {
  const plain = !stream.isTTY || process.env['NO_COLOR'] || process.env['TERM'] === 'dumb';
  return plain ? (_style, text) => text : (style, text) => styleText(style, text);
}
