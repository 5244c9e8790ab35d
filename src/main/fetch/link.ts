// SPDX-License-Identifier: GPL-3.0-or-later

const LEAST = 256 << 10;
const MOST = 8 << 20;
const FIRST = 512 << 10;
const MEASURABLE = 128 << 10;
const LEAST_PIECE = 1 << 20;
const MOST_PIECE = 4 << 20;
const PIECE_MS = 40;
const WINDOW = 16; // measurements that count

/**
 * What is known of the way to a blob. A fetch of B bytes takes about RTT + B / bandwidth, so that the natural amount is
 * bandwidth x RTT: less wastes the round trip, and so much more costs one more at the most.
 *
 * The round trip is the shortest of late, since the others have waited behind each other's bytes; the bandwidth is the
 * median, since bytes that piled up while the daemon was busy arrive as if there were no link.
 */
export class Link {
  readonly #waits: number[] = [];
  readonly #rates: number[] = [];

  /** A fetch of `bytes`, whose first byte came after `waited` ms and whose last one `took` ms later. */
  measured(bytes: number, waited: number, took: number): void {
    note(this.#waits, waited);
    if (bytes >= MEASURABLE && took > 0) note(this.#rates, bytes / took);
  }

  /** Bytes that are worth fetching at once. */
  get unit(): number {
    if (this.#rates.length === 0) return FIRST;
    return Math.round(Math.min(MOST, Math.max(LEAST, Math.min(...this.#waits) * median(this.#rates))));
  }

  /** Bytes to ask for at once of many that follow each other: whoever comes in between waits for a few of these. */
  get piece(): number {
    if (this.#rates.length === 0) return LEAST_PIECE;
    return Math.round(Math.min(MOST_PIECE, Math.max(LEAST_PIECE, PIECE_MS * median(this.#rates))));
  }

  /** Milliseconds, and bytes a second, where they are known. */
  describe(): { roundTripMs: number | null; bytesPerSecond: number | null } {
    return {
      roundTripMs: this.#waits.length === 0 ? null : Math.min(...this.#waits),
      bytesPerSecond: this.#rates.length === 0 ? null : median(this.#rates) * 1000,
    };
  }
}

function note(values: number[], value: number): void {
  values.push(value);
  if (values.length > WINDOW) values.shift();
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number;
}
