// SPDX-License-Identifier: GPL-3.0-or-later

import type { StreamSource } from '../registry/types.js';
import type { BlobFile } from './blob-file.js';
import { BLOCK } from './blocks.js';
import type { Link } from './link.js';

/** One request on the wire: the blocks [first, end), which arrive in order. */
interface Flight {
  readonly first: number;
  readonly end: number;
  /** The next block to arrive. */
  next: number;
  /** Called for each block that arrives, and when the flight ends. */
  readonly watchers: Set<() => void>;
  ended: boolean;
  error: unknown;
}

/** Told the bytes [offset, end) of a blob that have just been stored. */
export type Arrival = (offset: number, end: number) => void;

/** Brings the bytes of one blob into its file, none of them twice, however many ask for them. */
export class Fetcher {
  /** Bytes that came over the network, and requests that brought them. */
  bytes = 0;
  requests = 0;
  readonly #source: StreamSource;
  readonly #file: BlobFile;
  readonly #link: Link;
  readonly #arrived: Arrival;
  readonly #flights = new Set<Flight>();
  readonly #abort = new AbortController();
  #demands = 0;

  constructor(source: StreamSource, file: BlobFile, link: Link, arrived: Arrival) {
    this.#source = source;
    this.#file = file;
    this.#link = link;
    this.#arrived = arrived;
  }

  /** Somebody waits for bytes of this blob now. */
  get busy(): boolean {
    return this.#demands > 0;
  }

  /**
   * Resolves when the bytes [offset, end) are in the file. Asks for more than that, on both sides along the blob, as the
   * link makes it cheap. Rejects with what the source rejects with; what had arrived by then stays.
   */
  async need(offset: number, end: number): Promise<void> {
    const unit = Math.ceil(this.#link.unit / BLOCK);
    const first = Math.floor(offset / BLOCK);
    this.#demands++;
    try {
      if (this.#absent(first)) this.#bringBehind(first, unit);
      await this.#bring(first, Math.ceil(end / BLOCK), unit);
    } finally {
      this.#demands--;
    }
  }

  /** The same for bytes that nobody waits for, and no others. */
  async prefetch(offset: number, end: number): Promise<void> {
    await this.#bring(Math.floor(offset / BLOCK), Math.ceil(end / BLOCK), 0);
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#abort.abort();
    for (const flight of this.#flights) while (!flight.ended) await arrival(flight);
    await this.#source.close();
    this.#file.close();
  }

  /** Brings the blocks [first, end), and behind the last of them so many that it is `atLeast` blocks in one request. */
  async #bring(first: number, end: number, atLeast: number): Promise<void> {
    const { blocks } = this.#file;
    for (let block = first; block < end; ) {
      if (blocks.has(block) || this.#flightOf(block)) {
        block++;
        continue;
      }
      const from = block;
      while (block < Math.max(end, from + atLeast) && this.#absent(block)) block++;
      void this.#fly(from, block);
    }
    for (let block = first; block < end; block++) {
      while (!blocks.has(block)) {
        const flight = this.#flightOf(block);
        if (flight === undefined) await this.#bring(block, end, atLeast);
        else {
          await arrival(flight);
          if (flight.error !== undefined && !blocks.has(block)) throw flight.error;
        }
      }
    }
  }

  /**
   * Starts to bring what lies before an absent block, as far as what lies behind it is there already: somebody reads the
   * files of a directory from the last to the first.
   */
  #bringBehind(block: number, unit: number): void {
    let end = block;
    while (end - block < unit && this.#absent(end)) end++;
    let first = block;
    while (end - first < unit && this.#absent(first - 1)) first--;
    if (first < block) setImmediate(() => this.prefetch(first * BLOCK, block * BLOCK).catch(() => undefined));
  }

  #absent(block: number): boolean {
    return block >= 0 && block < this.#file.blocks.count && !this.#file.blocks.has(block) && !this.#flightOf(block);
  }

  #flightOf(block: number): Flight | undefined {
    for (const flight of this.#flights) if (block >= flight.next && block < flight.end) return flight;
    return undefined;
  }

  async #fly(first: number, end: number): Promise<void> {
    const flight: Flight = { first, end, next: first, watchers: new Set(), ended: false, error: undefined };
    this.#flights.add(flight);
    this.requests++;
    try {
      await this.#receive(flight);
    } catch (error) {
      flight.error = error ?? new Error('a fetch failed');
    }
    this.#flights.delete(flight);
    flight.ended = true;
    notify(flight);
    if (flight.next > first) this.#arrived(first * BLOCK, Math.min(flight.next * BLOCK, this.#file.size));
  }

  async #receive(flight: Flight): Promise<void> {
    const offset = flight.first * BLOCK;
    const length = Math.min(flight.end * BLOCK, this.#file.size) - offset;
    const started = performance.now();
    let firstByte: number | undefined;
    const block = Buffer.allocUnsafe(BLOCK);
    let filled = 0;
    for await (const piece of this.#source.stream(offset, length, this.#abort.signal)) {
      firstByte ??= performance.now();
      this.bytes += piece.length;
      for (let at = 0; at < piece.length; ) {
        const wanted = this.#file.blockLength(flight.next);
        const part = piece.subarray(at, at + wanted - filled);
        block.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled < wanted) continue;
        this.#file.store(flight.next, block.subarray(0, filled));
        filled = 0;
        flight.next++;
        notify(flight);
      }
    }
    const ended = performance.now();
    this.#link.measured(length, (firstByte ?? ended) - started, ended - (firstByte ?? ended));
  }
}

/** Resolves when the next block of a flight has arrived, or the flight has ended. */
function arrival(flight: Flight): Promise<void> {
  return new Promise((resolve) => {
    if (flight.ended) resolve();
    else flight.watchers.add(resolve);
  });
}

function notify(flight: Flight): void {
  const watchers = [...flight.watchers];
  flight.watchers.clear();
  for (const watcher of watchers) watcher();
}
