// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Splits the JSON text of a TOC into the values of its `entries`, as the bytes come, without holding more than one of
 * them: a scanner that knows strings and brackets finds where a value ends, JSON.parse does the rest.
 */

import { LayerFault, quote } from '../fault.js';
import { isSpace, JsonValue, malformed } from './value.js';

const TOC_VERSION = 1;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** What the scanner stands before. */
type State =
  | 'start'
  | 'first key'
  | 'key'
  | 'colon'
  | 'member' // the value of a top-level key
  | 'after member'
  | 'first element'
  | 'element' // of `entries`
  | 'after element'
  | 'end';

export class EntrySplitter {
  readonly #onEntry: (value: unknown) => void;
  #state: State = 'start';
  #key = '';
  #version: unknown;
  #entriesSeen = false;
  /** Bytes of the text before the part that is being taken. */
  #before = 0;
  readonly #value = new JsonValue();

  /** `onEntry` gets each element of `entries`, parsed; what it throws ends the splitting. */
  constructor(onEntry: (value: unknown) => void) {
    this.#onEntry = onEntry;
  }

  /** Takes the next bytes of the text; keeps none of them. Throws LayerFault. */
  push(part: Uint8Array): void {
    const bytes = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    let i = 0;
    while (i < bytes.length) {
      if (this.#value.open) {
        i = this.#value.feed(bytes, i, this.#before);
        if (!this.#value.open) {
          this.#take(this.#value.parse());
        }
      } else if (isSpace(bytes[i] as number)) {
        i++;
      } else {
        i = this.#token(bytes, i);
      }
    }
    this.#before += bytes.length;
  }

  /** The text has ended. Throws LayerFault if it may not end here, or is no TOC of version 1. */
  end(): void {
    if (this.#state !== 'end') {
      throw new LayerFault(`TOC: truncated at byte ${this.#before}`);
    }
    if (this.#version !== TOC_VERSION) {
      throw new LayerFault(`TOC: version is ${quote(this.#version ?? null)}, not ${TOC_VERSION}`);
    }
    if (!this.#entriesSeen) {
      throw new LayerFault('TOC: has no entries');
    }
  }

  /** Takes one byte that is no part of a value, or starts one; returns where to go on. */
  #token(bytes: Buffer, i: number): number {
    const c = bytes[i] as number;
    switch (this.#state) {
      case 'start':
        return this.#expect(c === OPEN_BRACE, 'first key', i);
      case 'first key':
        return c === CLOSE_BRACE ? this.#expect(true, 'end', i) : this.#startKey(c, i);
      case 'key':
        return this.#startKey(c, i);
      case 'colon':
        return this.#expect(c === COLON, 'member', i);
      case 'member':
        if (this.#key === 'entries' && c === OPEN_BRACKET) {
          return this.#expect(!this.#entriesSeen, 'first element', i);
        }
        return this.#startValue(i);
      case 'after member':
        return this.#expect(c === COMMA || c === CLOSE_BRACE, c === COMMA ? 'key' : 'end', i);
      case 'first element':
        this.#entriesSeen = true;
        return c === CLOSE_BRACKET ? this.#expect(true, 'after member', i) : this.#startValue(i);
      case 'element':
        return this.#startValue(i);
      case 'after element':
        return this.#expect(c === COMMA || c === CLOSE_BRACKET, c === COMMA ? 'element' : 'after member', i);
      default:
        throw malformed(this.#before + i);
    }
  }

  #expect(met: boolean, next: State, i: number): number {
    if (!met) {
      throw malformed(this.#before + i);
    }
    this.#state = next;
    return i + 1;
  }

  #startKey(c: number, i: number): number {
    this.#state = 'key';
    if (c !== QUOTE) {
      throw malformed(this.#before + i);
    }
    return this.#startValue(i);
  }

  #startValue(i: number): number {
    this.#value.begin(this.#before + i);
    return i;
  }

  /** A value is complete. */
  #take(value: unknown): void {
    switch (this.#state) {
      case 'key':
        this.#key = value as string;
        this.#state = 'colon';
        break;
      case 'member':
        this.#takeMember(value);
        this.#state = 'after member';
        break;
      default:
        this.#state = 'after element';
        this.#onEntry(value);
    }
  }

  #takeMember(value: unknown): void {
    if (this.#key === 'version') {
      this.#version = value;
    } else if (this.#key === 'entries') {
      if (value !== null || this.#entriesSeen) {
        throw new LayerFault(`TOC: entries is no array, or stands twice, at byte ${this.#value.start}`);
      }
      this.#entriesSeen = true;
    }
  }
}
