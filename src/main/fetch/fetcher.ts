// SPDX-License-Identifier: GPL-3.0-or-later

import type { StreamSource } from '../blob/source.js';
import { AheadRanges } from './ahead.js';
import type { BlobFile } from './blob-file.js';
import { BLOCK } from './blocks.js';
import type { Flown, Purpose } from './flown.js';
import type { Link } from './link.js';
import type { Traffic } from './traffic.js';

/** Demands that are this many units apart, or less, are near each other. */
const NEAR_UNITS = 4;
/** Where demands come near each other, each fetches twice as much as the one before, up to so many units. */
const MOST_UNITS = 4;
const DEMANDS_REMEMBERED = 64;
/** Nothing is fetched ahead while so many requests are under way: whoever needs something else waits behind them. */
const MOST_AHEAD = 3;
/** So many blocks at a time are told of as they arrive. */
const ARRIVAL = (1 << 20) / BLOCK;

/** One request on the wire: the blocks [first, end), which arrive in order. */
interface Flight {
  readonly purpose: Purpose;
  readonly first: number;
  readonly end: number;
  /** The next block to arrive. */
  next: number;
  /** Up to here it was told that they have arrived. */
  told: number;
  /** When it was asked, and when its first byte came: milliseconds of `performance.now`. */
  readonly started: number;
  firstByte: number | undefined;
  /** Called for each block that arrives, and when the flight ends. */
  readonly watchers: Set<() => void>;
  ended: boolean;
  error: unknown;
}

/** How bytes are brought in that a reader waits for. */
export interface Need {
  readonly alone?: boolean;
  readonly onProgress?: () => void;
}

/** Told the bytes [offset, end) of a blob that have just been stored. */
export type Arrival = (offset: number, end: number) => void;

/** Brings the bytes of one blob into its file, none of them twice, however many ask for them. */
export class Fetcher {
  /** Bytes that came over the network, and requests that brought them. */
  bytes = 0;
  requests = 0;
  /** Told of each request when it has ended. */
  onFlown: ((flown: Flown) => void) | undefined;
  /** Bytes that readers waited for, in whole blocks. */
  demanded = 0;
  readonly #source: StreamSource;
  readonly #file: BlobFile;
  readonly #link: Link;
  readonly #arrived: Arrival;
  readonly #flights = new Set<Flight>();
  readonly #ahead = new AheadRanges();
  readonly #abort = new AbortController();
  readonly #traffic: Traffic;
  /** The first blocks of what was demanded of late, and had to be fetched. */
  readonly #demands: number[] = [];

  constructor(source: StreamSource, file: BlobFile, link: Link, traffic: Traffic, arrived: Arrival) {
    this.#source = source;
    this.#file = file;
    this.#link = link;
    this.#traffic = traffic;
    this.#arrived = arrived;
  }

  /** Whether bytes that turned out to be wrong may be right elsewhere. */
  get hasOtherPlace(): boolean {
    return (this.#source.places ?? 1) > 1;
  }

  /**
   * Resolves when the bytes [offset, end) are in the file, for which a reader waits. Unless told to bring them `alone`, it
   * asks for more than that, on both sides along the blob, as the link makes it cheap. `onProgress` is called whenever
   * some of them arrive. Rejects with what the source rejects with; what had arrived by then stays.
   */
  async need(offset: number, end: number, { alone = false, onProgress }: Need = {}): Promise<void> {
    const first = Math.floor(offset / BLOCK);
    const last = Math.ceil(end / BLOCK);
    this.demanded += (last - first) * BLOCK;
    await this.#traffic.demand(async () => {
      let absent = first;
      while (absent < last && !this.#absent(absent)) absent++;
      const [behind, ahead] = absent < last && !alone ? this.#widened(first, last) : [first, last];
      if (behind < first) setImmediate(() => this.#ask(behind, first, 'demand')); // behind what is waited for
      if (ahead > last) this.#ask(first, ahead, 'demand');
      await this.#bring(first, last, 'demand', onProgress);
    });
  }

  /** Resolves when these bytes are in the file, for which nobody waits. */
  async prefetch(offset: number, end: number, purpose: Purpose): Promise<void> {
    await this.#bring(Math.floor(offset / BLOCK), Math.ceil(end / BLOCK), purpose);
  }

  /** A reader goes on to these bytes, and no others: they are brought in behind what is waited for. */
  ahead(reader: number, offset: number, end: number): void {
    this.#ahead.set(reader, Math.floor(offset / BLOCK), Math.ceil(end / BLOCK));
    this.#goAhead();
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#abort.abort();
    for (const flight of this.#flights) while (!flight.ended) await arrival(flight);
    await this.#source.close();
    this.#file.close();
  }

  /**
   * What to fetch around blocks that somebody waits for. Neighbours in a tar are neighbours in a directory, and it takes
   * no longer to bring them along: so one unit of the link, and more where demands come near each other. Half of it lies
   * on each side, unless that is there already.
   */
  #widened(first: number, last: number): [first: number, last: number] {
    const unit = Math.ceil(this.#link.unit / BLOCK);
    const near = this.#demands.filter((block) => Math.abs(block - first) < NEAR_UNITS * unit).length;
    this.#demands.push(first);
    if (this.#demands.length > DEMANDS_REMEMBERED) this.#demands.shift();
    const spare = Math.max(0, unit * Math.min(MOST_UNITS, 2 ** near) - (last - first));
    let behind = 0;
    while (behind < spare && this.#absent(first - behind - 1)) behind++;
    let ahead = 0;
    while (ahead < spare && this.#absent(last + ahead)) ahead++;
    behind = Math.min(behind, Math.max(spare >> 1, spare - ahead));
    return [first - behind, last + Math.min(ahead, spare - behind)];
  }

  /** Resolves when the blocks [first, end) are there. */
  async #bring(first: number, end: number, purpose: Purpose, onProgress?: () => void): Promise<void> {
    const { blocks } = this.#file;
    this.#ask(first, end, purpose);
    for (let block = first; block < end; block++) {
      while (!blocks.has(block)) {
        const flight = this.#flightOf(block);
        if (flight === undefined) this.#ask(block, end, purpose);
        else {
          await arrival(flight);
          onProgress?.();
          if (flight.error !== undefined && !blocks.has(block)) throw flight.error;
        }
      }
    }
  }

  /** Asks for those of the blocks [first, end) that are neither there nor on their way. */
  #ask(first: number, end: number, purpose: Purpose): void {
    for (let block = first; block < end; block++) {
      const from = block;
      while (block < end && this.#absent(block)) block++;
      if (block > from) void this.#fly(from, block, purpose);
    }
  }

  #goAhead(): void {
    const piece = Math.ceil(this.#link.piece / BLOCK);
    while (this.#flights.size < MOST_AHEAD) {
      const range = this.#ahead.take(piece, (block) => this.#absent(block));
      if (range === undefined) return;
      void this.#fly(range.first, range.end, 'stream');
    }
  }

  #absent(block: number): boolean {
    return block >= 0 && block < this.#file.blocks.count && !this.#file.blocks.has(block) && !this.#flightOf(block);
  }

  #flightOf(block: number): Flight | undefined {
    for (const flight of this.#flights) if (block >= flight.next && block < flight.end) return flight;
    return undefined;
  }

  async #fly(first: number, end: number, purpose: Purpose): Promise<void> {
    const flight: Flight = {
      purpose,
      first,
      end,
      next: first,
      told: first,
      started: performance.now(),
      firstByte: undefined,
      watchers: new Set(),
      ended: false,
      error: undefined,
    };
    this.#flights.add(flight);
    this.requests++;
    try {
      await this.#receive(flight);
    } catch (error) {
      flight.error = error ?? new Error('a fetch failed');
      this.#ahead.clear();
    }
    this.#flights.delete(flight);
    flight.ended = true;
    notify(flight);
    this.#tellArrived(flight);
    this.onFlown?.(this.#flown(flight));
    this.#goAhead();
  }

  #flown({ purpose, first, next, started, firstByte }: Flight): Flown {
    const ended = performance.now();
    const end = Math.min(next * BLOCK, this.#file.size);
    return { purpose, offset: first * BLOCK, end, firstByteMs: (firstByte ?? ended) - started, ms: ended - started };
  }

  #tellArrived(flight: Flight): void {
    const { told, next } = flight;
    flight.told = next;
    if (next > told) this.#arrived(told * BLOCK, Math.min(next * BLOCK, this.#file.size));
  }

  /** Tells the source which bytes are fetched again because they were wrong. */
  #tellDoubts({ first, end }: Flight): void {
    const { blocks } = this.#file;
    for (let block = first; block < end; block++) {
      const from = block;
      while (block < end && blocks.isDoubted(block)) block++;
      if (block > from) this.#source.doubt?.(from * BLOCK, Math.min(block * BLOCK, this.#file.size) - from * BLOCK);
    }
  }

  async #receive(flight: Flight): Promise<void> {
    this.#tellDoubts(flight);
    const offset = flight.first * BLOCK;
    const length = Math.min(flight.end * BLOCK, this.#file.size) - offset;
    const block = Buffer.allocUnsafe(BLOCK);
    let filled = 0;
    for await (const piece of this.#source.stream(offset, length, this.#abort.signal)) {
      flight.firstByte ??= performance.now();
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
        if (flight.next - flight.told >= ARRIVAL) this.#tellArrived(flight);
      }
    }
    const ended = performance.now();
    const firstByte = flight.firstByte ?? ended;
    this.#link.measured(length, firstByte - flight.started, ended - firstByte);
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
