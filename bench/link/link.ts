// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * A link in front of a server on this machine: bytes take half a round trip each way, a new connection costs one round
 * trip before its first byte, and all connections share the bandwidth. It works on bytes, whatever the protocol is.
 */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { LinkPlan } from '../plan.js';
import { type Exchange, Exchanges } from './exchanges.js';

const LEAST_WINDOW = 1 << 20; // bytes under way in one direction of a connection, before its sender must wait
const EARLY_MS = 0.5; // timers have whole milliseconds: so what is due sooner than that leaves now

/** One direction of the link: when bytes that are sent now have arrived as a whole. */
class Lane {
  /** When all that was sent so far has left. */
  #free = 0;
  /** Bytes a millisecond. */
  readonly #rate: number;
  readonly #delay: number;

  constructor({ rate, rttMs }: LinkPlan) {
    this.#rate = rate / 1000;
    this.#delay = rttMs / 2;
  }

  /** When `bytes` bytes have arrived that are sent at `sent`; both in ms. */
  arrival(sent: number, bytes: number): number {
    this.#free = Math.max(sent, this.#free) + bytes / this.#rate;
    return this.#free + this.#delay;
  }
}

/** Bytes on their way from one socket to another, each piece handed over when it is due. */
class Pipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #queue: { readonly bytes: Buffer; readonly due: number }[] = [];
  readonly #onArrival: (bytes: number) => void;
  /** Bytes that have left `from`, and not arrived. */
  #underWay = 0;
  #waiting = false;

  constructor(from: Socket, to: Socket, onArrival: (bytes: number) => void) {
    this.#from = from;
    this.#to = to;
    this.#onArrival = onArrival;
  }

  /** `window`: bytes under way before the sender must wait; `earliest`: when the first byte leaves. */
  open(lane: Lane, window: number, earliest: number): void {
    this.#from.on('data', (bytes: Buffer) => {
      this.#underWay += bytes.length;
      this.#push(bytes, lane.arrival(Math.max(performance.now(), earliest), bytes.length));
      if (this.#underWay > window) this.#from.pause();
    });
    this.#from.on('end', () => this.#push(Buffer.alloc(0), lane.arrival(performance.now(), 0)));
  }

  #push(bytes: Buffer, due: number): void {
    this.#queue.push({ bytes, due });
    if (!this.#waiting) this.#pump();
  }

  #pump(): void {
    this.#waiting = false;
    for (let head = this.#queue[0]; head !== undefined && !this.#waiting; head = this.#queue[0]) {
      const left = head.due - performance.now();
      if (left > EARLY_MS) {
        this.#waiting = true;
        setTimeout(() => this.#pump(), left);
      } else {
        this.#queue.shift();
        this.#deliver(head.bytes);
      }
    }
  }

  /** Hands a piece over; an empty one is the end. */
  #deliver(bytes: Buffer): void {
    this.#underWay -= bytes.length;
    this.#from.resume();
    this.#onArrival(bytes.length);
    if (bytes.length === 0) {
      this.#to.end();
    } else if (!this.#to.write(bytes)) {
      this.#waiting = true;
      this.#to.once('drain', () => this.#pump());
    }
  }
}

export class Link {
  /** Bytes that have come to clients. */
  received = 0;
  readonly #plan: LinkPlan;
  readonly #target: number;
  readonly #server: Server;
  readonly #down: Lane;
  readonly #up: Lane;
  readonly #sockets = new Set<Socket>();
  #exchanges = new Exchanges();

  private constructor(plan: LinkPlan, target: number) {
    this.#plan = plan;
    this.#target = target;
    this.#down = new Lane(plan);
    this.#up = new Lane(plan);
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  }

  /** Opens a link to a port of 127.0.0.1. */
  static async open(plan: LinkPlan, target: number): Promise<Link> {
    const link = new Link(plan, target);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  /** `127.0.0.1:port`, the near end. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get name(): string {
    return this.#plan.name;
  }

  /** What went over the link since the last reset. */
  get exchanges(): Exchanges {
    return this.#exchanges;
  }

  /** Forgets what went over the link so far. */
  reset(): void {
    this.received = 0;
    this.#exchanges = new Exchanges();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    const { rttMs, rate } = this.#plan;
    const upstream = connect({ port: this.#target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroySoon();
      });
    }
    const now = performance.now();
    this.#exchanges.handshake(now, now + rttMs);
    let exchange: Exchange | undefined;
    client.on('data', () => {
      // a client that sends again, having got something, asks the next thing
      if (exchange === undefined || exchange.answered)
        exchange = this.#exchanges.begin(Math.max(performance.now(), now + rttMs));
    });
    const window = Math.max(LEAST_WINDOW, (2 * rate * rttMs) / 1000);
    new Pipe(client, upstream, () => undefined).open(this.#up, window, now + rttMs);
    const answers = new Pipe(upstream, client, (bytes) => {
      this.received += bytes;
      exchange?.answer(performance.now());
    });
    answers.open(this.#down, window, now);
  }
}
