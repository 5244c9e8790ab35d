// SPDX-License-Identifier: GPL-3.0-or-later

/** A question and its answer on one connection: it lasts from the question's first byte to the answer's last. */
export class Exchange {
  readonly started: number;
  ended: number | undefined;

  constructor(started: number) {
    this.started = started;
  }

  get answered(): boolean {
    return this.ended !== undefined;
  }

  /** Bytes of the answer have arrived. */
  answer(now: number): void {
    this.ended = now;
  }
}

/** What happened on a link. */
export class Exchanges {
  readonly #all: Exchange[] = [];
  readonly #handshakes: Exchange[] = [];

  begin(now: number): Exchange {
    const exchange = new Exchange(now);
    this.#all.push(exchange);
    return exchange;
  }

  /** A connection was made. */
  handshake(started: number, ended: number): void {
    const handshake = new Exchange(started);
    handshake.answer(ended);
    this.#handshakes.push(handshake);
  }

  /** Questions, without the making of connections. */
  get requests(): number {
    return this.#all.length;
  }

  /**
   * Round trips in sequence: the most exchanges of which each began after the one before had ended, the making of
   * connections included. What is still under way does not count.
   */
  get inSequence(): number {
    let free = Number.NEGATIVE_INFINITY;
    let count = 0;
    const ended = [...this.#all, ...this.#handshakes].filter(({ answered }) => answered);
    for (const { started, ended: end = 0 } of ended.sort((a, b) => (a.ended ?? 0) - (b.ended ?? 0))) {
      if (started < free) continue;
      free = end;
      count++;
    }
    return count;
  }
}
