// SPDX-License-Identifier: GPL-3.0-or-later

/** A blob read by single range requests, each checked, continued where it broke off. */

import { collect } from '../blob/collect.js';
import type { StreamSource } from '../blob/source.js';
import { CrfsError } from '../errors/error.js';
import { oneLine } from '../errors/one-line.js';
import { type ContentRange, parseContentRange } from './content-range.js';
import { download } from './download.js';
import { Identity } from './identity.js';
import { PROGRESS } from './paced.js';
import { Retry, type RetryPolicy, TransientError } from './retry.js';
import { refusal } from './status.js';
import type { HttpResponse } from './transport.js';
import { WholeDownload } from './whole-download.js';

/** What servers answer that want no ranges, to any request with one. */
const NO_RANGES: ReadonlySet<number> = new Set([400, 403, 405, 416, 501]);

/** The bytes up to `end`, on their way. */
interface Answer {
  readonly response: HttpResponse;
  readonly end: number;
}

export interface RangeOptions {
  readonly name: string;
  /** GETs with these headers; redirects, credentials and TLS are its business. */
  readonly get: (headers: Readonly<Record<string, string>>, signal?: AbortSignal) => Promise<HttpResponse>;
  readonly policy: RetryPolicy;
  /** The directory for the file that keeps the whole blob where the server knows no ranges. */
  readonly spool: string;
  /** Bytes of the blob, where they are known beforehand. */
  readonly size?: number;
  /** Whether the bytes may change behind the name, so that validators must stay the same. */
  readonly mutable: boolean;
}

export class RangeSource implements StreamSource {
  readonly name: string;
  readonly #options: RangeOptions;
  readonly #identity: Identity;
  /** Whether the server has answered to a range as it should. */
  #knowsRanges = false;
  #whole: Promise<WholeDownload> | undefined;

  constructor(options: RangeOptions) {
    this.name = options.name;
    this.#options = options;
    this.#identity = new Identity(options);
  }

  get size(): number {
    if (this.#identity.size === undefined) throw new CrfsError('CRFS_INTERNAL', `${this.name} was not opened`);
    return this.#identity.size;
  }

  /** What tells this version of a mutable blob from others, as far as its server says: an ETag or a time. */
  get validator(): string | undefined {
    return this.#identity.validator;
  }

  /** Learns the size by asking for the first byte. Not needed where the size is known. */
  async open(signal?: AbortSignal): Promise<void> {
    const retry = new Retry(this.#options.policy, signal);
    while (this.#identity.size === undefined) {
      try {
        const answer = await this.#request(0, 1, signal);
        if (answer !== undefined) await answer.response.discard();
        else this.#identity.size ??= await (await this.#whole)?.size();
      } catch (error) {
        await retry.failed(error);
      }
    }
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    return await collect(this, offset, length);
  }

  async *stream(offset: number, length: number, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const end = offset + this.#checked(offset, length);
    const retry = new Retry(this.#options.policy, signal);
    let fresh = 0;
    for (let at = offset; at < end; ) {
      try {
        const whole = await this.#whole;
        if (whole !== undefined) {
          yield* this.#fromWhole(whole, at, end - at, signal);
          return;
        }
        const answer = await this.#request(at, end, signal);
        if (answer === undefined) continue;
        const began = at;
        for await (const chunk of answer.response.chunks()) {
          at += chunk.length;
          fresh += chunk.length;
          if (at > answer.end)
            throw new CrfsError('CRFS_UNREACHABLE', `${this.name}: the server sent more than the range asked for`);
          if (fresh >= PROGRESS) {
            retry.progressed();
            fresh = 0;
          }
          yield chunk;
        }
        if (at < answer.end) throw new TransientError(this.name, `the answer ended ${answer.end - at} bytes early`);
        // A server may send less than was asked for; but that must lead to an end.
        if (at < end && at - began < PROGRESS)
          throw new TransientError(this.name, `the server sends no more than ${at - began} bytes at once`);
      } catch (error) {
        await retry.failed(error);
      }
    }
  }

  async close(): Promise<void> {
    const whole = await this.#whole?.catch(() => undefined);
    await whole?.close();
  }

  #checked(offset: number, length: number): number {
    if (
      Number.isSafeInteger(offset) &&
      Number.isSafeInteger(length) &&
      offset >= 0 &&
      length >= 0 &&
      offset + length <= this.size
    ) {
      return length;
    }
    throw new CrfsError('CRFS_BAD_LAYER', `${this.name} has ${this.size} bytes: there are no ${length} at ${offset}`);
  }

  /** Asks for [start, end). Undefined if everything is to be had instead, or nothing: then all of it is kept. */
  async #request(start: number, end: number, signal?: AbortSignal): Promise<Answer | undefined> {
    const response = await this.#options.get({ range: `bytes=${start}-${end - 1}` }, signal);
    try {
      const { status } = response;
      const range = parseContentRange(response.header('content-range'));
      if (status === 200 && !isPart(response, range)) {
        await this.#takeAll(response);
        return undefined;
      }
      if (status === 416 && range?.total === 0 && (this.#identity.size ?? 0) === 0) {
        this.#identity.size = 0;
        return { response, end };
      }
      if (!this.#knowsRanges && (NO_RANGES.has(status) || (status === 206 && !this.#isUsable(range)))) {
        await response.discard();
        await this.#takeAll();
        return undefined;
      }
      if (status === 416) throw this.#identity.replaced(`has ${range?.total ?? 'too few'} bytes`);
      if (status !== 206 && status !== 200) throw await refusal(response, `cannot read ${this.name}`);
      if (range?.first !== start || range.last === undefined || range.last >= end) {
        const sent = response.header('content-range') ?? 'no Content-Range';
        throw new CrfsError(
          'CRFS_UNREACHABLE',
          `${this.name}: asked for bytes ${start}-${end - 1}, the server sent ${oneLine(sent, 80)}`,
        );
      }
      this.#identity.check(response, range.total);
      this.#knowsRanges = true;
      return { response, end: range.last + 1 };
    } catch (error) {
      await response.discard();
      throw error;
    }
  }

  /** Whether a range can be told from its Content-Range, and the size of the blob where that is not known. */
  #isUsable(range: ContentRange | undefined): boolean {
    return range?.first !== undefined && (range.total ?? this.#identity.size) !== undefined;
  }

  /** Keeps everything, once: of this answer, or of one without a range. */
  async #takeAll(first?: HttpResponse): Promise<void> {
    if (this.#whole !== undefined) {
      await first?.discard();
      return;
    }
    const whole = this.#download(first);
    this.#whole = whole;
    try {
      await whole;
    } catch (error) {
      this.#whole = undefined;
      throw error;
    }
  }

  async #download(first?: HttpResponse): Promise<WholeDownload> {
    const response = first ?? (await this.#requestAll());
    if (first !== undefined) this.#identity.check(response, lengthOf(response) ?? this.#identity.size);
    const { policy, spool } = this.#options;
    const encoding = response.header('content-encoding');
    const name = encoding === undefined ? this.name : `${this.name} (encoded: ${oneLine(encoding, 40)})`;
    const content = download(response, async () => await this.#requestAll(), {
      name,
      policy,
      size: this.#identity.size,
    });
    return await WholeDownload.create(spool, content);
  }

  async #requestAll(): Promise<HttpResponse> {
    const response = await this.#options.get({});
    if (response.status !== 200) throw await refusal(response, `cannot read ${this.name}`);
    this.#identity.check(response, lengthOf(response) ?? this.#identity.size);
    return response;
  }

  /** A download that failed for good is given up, so that a later read starts anew. */
  async *#fromWhole(
    whole: WholeDownload,
    offset: number,
    length: number,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const current = this.#whole;
    try {
      yield* whole.stream(offset, length, signal);
    } finally {
      if (whole.failed && this.#whole === current) {
        this.#whole = undefined;
        await whole.close();
      }
    }
  }
}

/** Whether an answer of status 200 is a range all the same: some servers send one so. */
function isPart(response: HttpResponse, range: ContentRange | undefined): boolean {
  return range?.first !== undefined && range.last !== undefined && lengthOf(response) === range.last - range.first + 1;
}

/** The bytes that an answer says that it has. */
function lengthOf(response: HttpResponse): number | undefined {
  const length = Number(response.header('content-length') ?? Number.NaN);
  return Number.isSafeInteger(length) ? length : undefined;
}
