// SPDX-License-Identifier: GPL-3.0-or-later

const LEAST = 256 << 10;
const MOST = 8 << 20;
const FIRST = 1 << 20;
const MEASURABLE = 128 << 10;
const WEIGHT = 0.3; // of the newest measurement

/**
 * What is known of the way to a blob. A fetch of B bytes takes about RTT + B / bandwidth, so that the natural amount is
 * bandwidth x RTT: less wastes the round trip, and so much more costs one more at the most.
 */
export class Link {
  #roundTrip: number | undefined;
  #bandwidth: number | undefined;

  /** A fetch of `bytes`, whose first byte came after `waited` ms and whose last one `took` ms later. */
  measured(bytes: number, waited: number, took: number): void {
    this.#roundTrip = blend(this.#roundTrip, waited);
    if (bytes >= MEASURABLE && took > 0) this.#bandwidth = blend(this.#bandwidth, bytes / took);
  }

  /** Bytes that are worth fetching at once. */
  get unit(): number {
    if (this.#roundTrip === undefined || this.#bandwidth === undefined) return FIRST;
    return Math.round(Math.min(MOST, Math.max(LEAST, this.#roundTrip * this.#bandwidth)));
  }

  /** Milliseconds, and bytes a second, where they are known. */
  describe(): { roundTripMs: number | null; bytesPerSecond: number | null } {
    const bytesPerSecond = this.#bandwidth === undefined ? null : this.#bandwidth * 1000;
    return { roundTripMs: this.#roundTrip ?? null, bytesPerSecond };
  }
}

function blend(old: number | undefined, measured: number): number {
  return old === undefined ? measured : old + WEIGHT * (measured - old);
}
