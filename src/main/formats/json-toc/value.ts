// SPDX-License-Identifier: GPL-3.0-or-later

import { LayerFault } from '../fault.js';

/** No entry nests deeper than its xattrs; far more than any needs. */
const DEPTH_LIMIT = 32;
/** Bytes of one entry: a path, a target and xattrs fit many times over. */
export const JSON_VALUE_LIMIT = 1 << 20;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

export function isSpace(c: number): boolean {
  return c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09;
}

/**
 * One JSON value out of a text that comes in parts: finds where it ends, by its strings and brackets alone, and has it
 * parsed then. Used again for each value.
 */
export class JsonValue {
  /** Whether a value has begun and not ended. */
  open = false;
  /** Where in the text the value began. */
  start = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #scalar = false;
  /** What earlier parts had of it. */
  #carry: Buffer[] = [];
  #json = '';

  /** A value begins at this byte of the text. */
  begin(at: number): void {
    this.open = true;
    this.start = at;
    this.#scalar = false;
  }

  /**
   * Takes bytes of the part from `from` on, whose first byte is byte `before` of the text. Returns where the value ends,
   * or the part's length. Throws LayerFault for a value that is larger or deeper than any entry.
   */
  feed(bytes: Buffer, from: number, before: number): number {
    const end = this.#scan(bytes, from, before);
    if (before + end - this.start > JSON_VALUE_LIMIT) {
      throw new LayerFault(`TOC: the value at byte ${this.start} is larger than ${JSON_VALUE_LIMIT} bytes`);
    }
    if (this.open) {
      this.#carry.push(Buffer.from(bytes.subarray(from)));
    } else if (this.#carry.length > 0) {
      this.#json = Buffer.concat([...this.#carry, bytes.subarray(from, end)]).toString();
      this.#carry = [];
    } else {
      this.#json = bytes.toString('utf8', from, end);
    }
    return end;
  }

  /** The value that has ended, parsed. Throws LayerFault if it is no JSON. */
  parse(): unknown {
    try {
      return JSON.parse(this.#json);
    } catch (error) {
      throw new LayerFault(`TOC: malformed JSON in the value at byte ${this.start}`, { cause: error });
    }
  }

  /** Moves over the bytes of a value until it is no longer open, or the part ends. */
  #scan(bytes: Buffer, from: number, before: number): number {
    const { length } = bytes;
    let i = from;
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
          throw new LayerFault(`TOC: byte ${before + i} nests deeper than ${DEPTH_LIMIT} levels`);
        }
        i++;
      } else if (depth === 0 && (c === COMMA || c === CLOSE_BRACE || c === CLOSE_BRACKET || isSpace(c))) {
        if (!this.#scalar) {
          throw malformed(before + i);
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
    this.open = open;
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
}

/** The error for a byte of the text that cannot stand where it does. */
export function malformed(at: number): LayerFault {
  return new LayerFault(`TOC: malformed JSON at byte ${at}`);
}
