// SPDX-License-Identifier: GPL-3.0-or-later

/** One request on its way through the fault proxy, and what is to happen to it. */

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type Agent, type ClientRequest, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { delivered } from './delivered.js';
import type { Gate } from './gate.js';

/**
 * What happens to one request. `after` counts bytes of the answer's body (of the request's body for `cut-upload`): these have
 * arrived before it happens. An answer of fewer bytes passes.
 */
export type Fault =
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  /** The connection is reset, or the answer ends too early; once the gate is open, where there is one. */
  | { readonly kind: 'reset' | 'truncate'; readonly after: number; readonly gate?: Gate }
  /** The answer waits at the gate: all of it, or what comes after so many bytes. Then it goes on. */
  | { readonly kind: 'hold'; readonly gate: Gate; readonly after?: number }
  /** The connection is reset while the client sends. */
  | { readonly kind: 'cut-upload'; readonly after: number }
  /** The answer's headers, changed, an empty value takes one away; and its status, where that is given. */
  | { readonly kind: 'headers'; readonly headers: Record<string, string>; readonly status?: number }
  /** Answers 200 with everything, whatever range was asked for; cut off after so many bytes, where that is given. */
  | { readonly kind: 'whole'; readonly after?: number; readonly chunked?: boolean }
  /** All bytes of the answer's body are other ones. */
  | { readonly kind: 'invert' }
  /** Sends the client to the store, with a URL that is good until `expire` is called. */
  | { readonly kind: 'redirect' };

/** What all requests through one proxy have in common. */
export interface Passage {
  readonly agent: Agent;
  readonly store: { readonly url: string };
  /** The redirects that are good. */
  readonly tickets: Set<string>;
  /** Bytes of bodies sent to clients, and received from them. */
  sent: number;
  received: number;
}

const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-authenticate', 'te', 'trailer', 'transfer-encoding', 'upgrade'];

export class Exchange {
  readonly #passage: Passage;
  readonly #incoming: IncomingMessage;
  readonly #socket: Socket;
  readonly #outgoing: ServerResponse;
  readonly #fault: Fault | undefined;

  constructor(passage: Passage, incoming: IncomingMessage, outgoing: ServerResponse, fault: Fault | undefined) {
    this.#passage = passage;
    this.#incoming = incoming;
    this.#socket = incoming.socket; // Node.js 24 forgets it where reading stops early
    this.#outgoing = outgoing;
    this.#fault = fault;
  }

  /** Resolves when the client has been answered, or its connection was ended on purpose. */
  async run(upstream: string): Promise<void> {
    const fault = this.#fault;
    if (fault?.kind === 'status') {
      this.#incoming.resume();
      const body = Buffer.from(fault.body ?? '');
      this.#outgoing.writeHead(fault.status, { 'content-length': body.length, ...fault.headers });
      this.#outgoing.end(this.#incoming.method === 'HEAD' ? undefined : body);
      return;
    }
    if (fault?.kind === 'redirect') {
      this.#redirect();
      return;
    }
    const answer = await this.#forward(upstream);
    if (fault?.kind === 'hold' && fault.after === undefined) await fault.gate.pass();
    this.#sendHead(answer);
    await this.#sendBody(answer);
  }

  #redirect(): void {
    const ticket = randomUUID();
    this.#passage.tickets.add(ticket);
    const target = new URL(this.#incoming.url ?? '/', this.#passage.store.url);
    target.searchParams.set('ticket', ticket);
    this.#outgoing.writeHead(307, { location: target.href, 'content-length': '0' }).end();
  }

  /** Sends the request on, and resolves to the answer's head. */
  async #forward(upstream: string): Promise<IncomingMessage> {
    const incoming = this.#incoming;
    const fault = this.#fault;
    const headers = { ...incoming.headers };
    if (fault?.kind === 'whole') delete headers.range;
    const onward = request(new URL(incoming.url ?? '/', upstream), {
      method: incoming.method ?? 'GET',
      headers,
      agent: this.#passage.agent,
    });
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      onward.once('response', resolve).on('error', reject);
    });
    answer.catch(() => this.#socket.destroy());
    let had = 0;
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      had += chunk.length;
      this.#passage.received += chunk.length;
      if (fault?.kind === 'cut-upload' && had > fault.after) {
        onward.write(chunk.subarray(0, chunk.length - (had - fault.after)));
        await sent(onward);
        onward.destroy();
        this.#socket.resetAndDestroy();
        break;
      }
      if (!onward.write(chunk)) await drained(onward);
    }
    onward.end();
    return await answer;
  }

  #sendHead(answer: IncomingMessage): void {
    const fault = this.#fault;
    const headers: Record<string, string | string[] | undefined> = { ...answer.headers };
    for (const name of HOP_BY_HOP) delete headers[name];
    if (fault?.kind === 'whole' && fault.chunked) delete headers['content-length'];
    if (fault?.kind === 'headers') Object.assign(headers, fault.headers);
    for (const [name, value] of Object.entries(headers)) if (value === '' || value === undefined) delete headers[name];
    const status = (fault?.kind === 'headers' ? fault.status : undefined) ?? answer.statusCode ?? 502;
    this.#outgoing.writeHead(status, headers as Record<string, string>);
    this.#outgoing.flushHeaders();
  }

  /** Sends the answer's body, as far as the fault lets it. */
  async #sendBody(answer: IncomingMessage): Promise<void> {
    const outgoing = this.#outgoing;
    const fault = this.#fault;
    let left =
      fault !== undefined && fault.kind !== 'cut-upload' && 'after' in fault ? (fault.after ?? Infinity) : Infinity;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      if (fault?.kind === 'invert') for (const [index, byte] of chunk.entries()) chunk[index] = byte ^ 0xff;
      for (let rest = chunk; rest.length > 0; ) {
        if (left === 0) {
          if (await this.#interrupt()) return;
          left = Infinity;
        }
        const part = rest.subarray(0, left);
        rest = rest.subarray(part.length);
        left -= part.length;
        if (outgoing.destroyed) return;
        this.#passage.sent += part.length;
        if (!outgoing.write(part)) await drained(outgoing);
      }
    }
    if (left > 0 || !(await this.#interrupt())) outgoing.end();
  }

  /** What comes after the last byte that passes. Returns whether that ends the answer. */
  async #interrupt(): Promise<boolean> {
    const fault = this.#fault;
    const socket = this.#socket;
    await delivered(socket);
    if (fault !== undefined && 'gate' in fault) await fault.gate?.pass();
    if (fault?.kind === 'hold') return false;
    if (fault?.kind === 'reset') socket.resetAndDestroy();
    else socket.destroySoon();
    return true;
  }
}

/** Resolves when all that was written to a request has arrived. */
async function sent(onward: ClientRequest): Promise<void> {
  if (onward.socket === null) await once(onward, 'socket');
  if (onward.socket?.connecting) await once(onward.socket, 'connect');
  if (onward.socket) await delivered(onward.socket);
}

/** Resolves when there is room to write again, or nobody to write to. */
async function drained(outgoing: Writable): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      outgoing.off('drain', done).off('close', done);
      resolve();
    };
    outgoing.on('drain', done).on('close', done);
  });
}
