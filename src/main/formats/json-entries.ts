// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Splits the JSON text of a TOC into the values of its `entries`, as the bytes come, without holding more than one of
 * them: a scanner that knows strings and brackets finds where a value ends, JSON.parse does the rest.
 */

import { LayerFault, quote } from './fault.js';

/** No entry nests deeper than its xattrs; far more than any needs. */
const DEPTH_LIMIT = 32;
/** Bytes of one entry: a path, a target and xattrs fit many times over. */
const VALUE_LIMIT = 1 << 20;
const TOC_VERSION = 1;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

function isSpace(c: number): boolean {
  return c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09;
}

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
  /** Bytes of the text before the part at hand. */
  #before = 0;

  // A value under way, over any number of parts.
  #open = false;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #scalar = false;
  #valueStart = 0;
  #carry: Buffer[] = [];

  /** `onEntry` gets each element of `entries`, parsed; what it throws ends the splitting. */
  constructor(onEntry: (value: unknown) => void) {
    this.#onEntry = onEntry;
  }

  /** Takes the next bytes of the text; keeps none of them. Throws LayerFault. */
  push(part: Uint8Array): void {
    const bytes = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    let i = 0;
    while (i < bytes.length) {
      if (this.#open) {
        i = this.#value(bytes, i);
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

  #malformed(at: number): never {
    throw new LayerFault(`TOC: malformed JSON at byte ${at}`);
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
        return this.#malformed(this.#before + i);
    }
  }

  #expect(met: boolean, next: State, i: number): number {
    if (!met) {
      this.#malformed(this.#before + i);
    }
    this.#state = next;
    return i + 1;
  }

  #startKey(c: number, i: number): number {
    this.#state = 'key';
    return c === QUOTE ? this.#startValue(i) : this.#malformed(this.#before + i);
  }

  #startValue(i: number): number {
    this.#open = true;
    this.#valueStart = this.#before + i;
    this.#scalar = false;
    return i;
  }

  /** Goes through a value from byte `start` of the part; returns where it ends, or the part's length. */
  #value(bytes: Buffer, start: number): number {
    const end = this.#scan(bytes, start);
    if (this.#before + end - this.#valueStart > VALUE_LIMIT) {
      throw new LayerFault(`TOC: the value at byte ${this.#valueStart} is larger than ${VALUE_LIMIT} bytes`);
    }
    if (this.#open) {
      this.#carry.push(Buffer.from(bytes.subarray(start)));
    } else if (this.#carry.length > 0) {
      const whole = Buffer.concat([...this.#carry, bytes.subarray(start, end)]);
      this.#carry = [];
      this.#take(whole.toString());
    } else {
      this.#take(bytes.toString('utf8', start, end));
    }
    return end;
  }

  /** Moves over the bytes of a value until it is no longer open, or the part ends. */
  #scan(bytes: Buffer, start: number): number {
    const { length } = bytes;
    let i = start;
    let depth = this.#depth;
    let inString = this.#inString;
    let open = true;
    while (open && i < length) {
      if (inString) {
        i = this.#skipString(bytes, i);
        inString = this.#inString;
        open = inString || depth > 0;
        continue;
      }
      const c = bytes[i] as number;
      if (c === QUOTE) {
        inString = this.#inString = true;
        i++;
      } else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
        if (++depth > DEPTH_LIMIT) {
          throw new LayerFault(`TOC: byte ${this.#before + i} nests deeper than ${DEPTH_LIMIT} levels`);
        }
        i++;
      } else if (depth === 0 && (c === COMMA || c === CLOSE_BRACE || c === CLOSE_BRACKET || isSpace(c))) {
        if (!this.#scalar) {
          this.#malformed(this.#before + i);
        }
        open = false;
      } else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) {
        open = --depth > 0;
        i++;
      } else {
        this.#scalar ||= depth === 0;
        i++;
      }
    }
    this.#depth = depth;
    this.#open = open;
    return i;
  }

  /** Moves over the rest of a string, its closing quote included if the part has it. */
  #skipString(bytes: Buffer, start: number): number {
    for (let from = start; ; ) {
      const closing = bytes.indexOf(QUOTE, from);
      const end = closing < 0 ? bytes.length : closing;
      let slashes = end;
      while (slashes > from && bytes[slashes - 1] === BACKSLASH) {
        slashes--;
      }
      // An odd run of backslashes escapes what follows; one before this part counts if the run reaches back to it.
      const escaped = ((end - slashes) % 2 === 1) !== (this.#escaped && slashes === start);
      this.#escaped = escaped && closing < 0;
      if (closing < 0) {
        return end;
      }
      if (!escaped) {
        this.#inString = false;
        return closing + 1;
      }
      from = closing + 1;
    }
  }

  #parse(json: string): unknown {
    try {
      return JSON.parse(json);
    } catch (error) {
      throw new LayerFault(`TOC: malformed JSON in the value at byte ${this.#valueStart}`, { cause: error });
    }
  }

  /** A value is complete. */
  #take(json: string): void {
    const value = this.#parse(json);
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
        throw new LayerFault(`TOC: entries is no array, or stands twice, at byte ${this.#valueStart}`);
      }
      this.#entriesSeen = true;
    }
  }
}
