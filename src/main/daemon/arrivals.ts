// SPDX-License-Identifier: GPL-3.0-or-later

import type { Flown, Purpose } from '../fetch/flown.js';
import { spanOf } from '../index/span.js';
import type { FileRun, StartedLayer } from '../profile/recording.js';
import { membersIn } from './members.js';

/** A request on the wire, and when it was sent, in ms of `monotonicMs`. */
export interface Sent extends Flown {
  readonly layer: number;
  readonly at: number;
}

/** Bytes of a file in the blob that came for a purpose, and were not used. */
export interface Unread {
  readonly layer: number;
  readonly inode: number;
  readonly bytes: number;
  readonly purpose: Purpose;
}

/** What these bring of files is not brought for readers: the TOC, with what lies before it, and the rest of a layer. */
export const NOT_FOR_READERS: ReadonlySet<Purpose> = new Set(['toc', 'background']);

interface Flight extends Sent {
  /** Place among the requests. */
  readonly place: number;
}

/** Which request has brought which chunks of layers, and what of that was used. */
export class Arrivals {
  readonly #layers: ReadonlyMap<number, StartedLayer>;
  /** By layer, in the order of the blob. */
  readonly #flights = new Map<number, Flight[]>();
  /** By layer: chunks. */
  readonly #used = new Map<number, Set<number>>();

  constructor(layers: readonly StartedLayer[], sent: readonly Sent[]) {
    this.#layers = new Map(layers.map((layer) => [layer.number, layer]));
    for (const { number } of layers) {
      const flights = sent.flatMap((one, place) => (one.layer === number ? { ...one, place } : []));
      this.#flights.set(
        number,
        flights.sort((a, b) => a.offset - b.offset),
      );
      this.#used.set(number, new Set());
    }
  }

  /** Chunks of a file are used. Returns the place of the request that has brought the last of them; null: they were here. */
  use({ layer: number, inode, first, count }: FileRun): number | null {
    const layer = this.#layers.get(number);
    if (layer === undefined) return null;
    let last: Flight | undefined;
    const from = layer.index.chunkFirst(inode) + first;
    for (let chunk = from; chunk < from + count; chunk++) {
      this.#used.get(number)?.add(chunk);
      for (const flight of this.#bringing(number, ...spanOf(layer, chunk))) {
        if (last === undefined || flight.at + flight.ms > last.at + last.ms) last = flight;
      }
    }
    return last?.place ?? null;
  }

  /** Files of which something came and was not used, the largest parts first. What lies in one member counts once. */
  unread(): Unread[] {
    const found = new Map<string, Unread>();
    for (const [number, flights] of this.#flights) {
      const layer = this.#layers.get(number);
      for (const flight of flights) {
        if (layer === undefined || NOT_FOR_READERS.has(flight.purpose)) continue;
        for (const { inode, bytes } of this.#leftOf(layer, flight)) {
          const key = `${number} ${inode} ${flight.purpose}`;
          const sum = bytes + (found.get(key)?.bytes ?? 0);
          found.set(key, { layer: number, inode, bytes: sum, purpose: flight.purpose });
        }
      }
    }
    return [...found.values()].sort((a, b) => b.bytes - a.bytes);
  }

  /** Those with one of these bytes. */
  *#bringing(number: number, offset: number, end: number): Generator<Flight> {
    const flights = this.#flights.get(number) ?? [];
    let low = 0;
    let high = flights.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((flights[middle]?.end ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    for (let n = low; n < flights.length; n++) {
      const flight = flights[n];
      if (flight === undefined || flight.offset >= end) return;
      if (flight.end > offset) yield flight;
    }
  }

  /** By members: those of which no chunk is used, each as a part of the first file in it. */
  *#leftOf(layer: StartedLayer, { offset, end }: Flight): Generator<{ inode: number; bytes: number }> {
    const used = this.#used.get(layer.number);
    for (const member of membersIn(layer, offset, end)) {
      let isUsed = false;
      for (let chunk = member.first; chunk < member.end; chunk++) isUsed ||= used?.has(chunk) ?? false;
      if (!isUsed) yield member;
    }
  }
}
