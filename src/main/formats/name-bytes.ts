// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Names of files are bytes, and nothing says that they are UTF-8. As text, a byte that is no part of a UTF-8 character is
 * a lone surrogate, U+DC00 and the byte (Python's "surrogateescape", PEP 383). No character is one, and JSON can write it:
 * so two names never become the same text, and each goes through a TOC and comes back as it was.
 */

import { isUtf8 } from 'node:buffer';

const ESCAPED = 0xdc00;
const FIRST_ESCAPED = 0xdc80; // ASCII is never escaped: no escape stands for a slash, or a NUL
const LAST_ESCAPED = 0xdcff;

/** The text that stands for a name. */
export function nameOfBytes(bytes: Uint8Array): string {
  const name = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(name)) return name.toString();
  const parts: string[] = [];
  for (let at = 0; at < name.length; ) {
    const length = characterLength(name, at);
    parts.push(
      length > 0 ? name.toString('utf8', at, at + length) : String.fromCharCode(ESCAPED + (name[at] as number)),
    );
    at += Math.max(1, length);
  }
  return parts.join('');
}

/** The name that a text stands for. A surrogate that stands for no byte becomes U+FFFD, as everywhere. */
export function bytesOfName(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text);
  const parts = Array.from(text, (character) =>
    isEscape(character) ? Buffer.of(character.charCodeAt(0) - ESCAPED) : Buffer.from(character),
  );
  return Buffer.concat(parts);
}

/** Bytes of the name that a text stands for. */
export function nameLength(text: string): number {
  if (text.isWellFormed()) return Buffer.byteLength(text);
  let length = 0; // counted without making them: what is asked about may be of any length
  for (const character of text) length += isEscape(character) ? 1 : Buffer.byteLength(character);
  return length;
}

function isEscape(character: string): boolean {
  const code = character.charCodeAt(0);
  return character.length === 1 && code >= FIRST_ESCAPED && code <= LAST_ESCAPED;
}

/** The length of the UTF-8 character that starts here; 0 if none does. */
function characterLength(bytes: Buffer, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
    if (isUtf8(bytes.subarray(at, at + length))) return length;
  }
  return 0;
}
