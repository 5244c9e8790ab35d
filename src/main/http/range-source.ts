// SPDX-License-Identifier: GPL-3.0-or-later

/** A blob read by single range requests, each checked, continued where it broke off. */

import type { StreamSource } from '../blob/source.js';
import { CrfsError } from '../errors/error.js';
import { parseContentRange } from './content-range.js';
import { download } from './download.js';
import { PROGRESS } from './paced.js';
import { Retry, type RetryPolicy, TransientError } from './retry.js';
import { refusal } from './status.js';
import type { HttpResponse } from './transport.js';
import { WholeDownload } from './whole-download.js';

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

/** Reads a range of a source into one buffer. */
export async function collect(
  source: Pick<StreamSource, 'name' | 'size' | 'stream'>,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  if (!(length >= 0 && length <= source.size))
    throw new CrfsError('CRFS_BAD_LAYER', `${source.name} has no ${length} bytes`);
  const bytes = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for await (const chunk of source.stream(offset, length)) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

export class RangeSource implements StreamSource {
  readonly name: string;
  readonly #options: RangeOptions;
  #size: number | undefined;
  #validator: string | undefined;
  #whole: Promise<WholeDownload> | undefined;

  constructor(options: RangeOptions) {
    this.name = options.name;
    this.#options = options;
    this.#size = options.size;
  }

  get size(): number {
    if (this.#size === undefined) throw new CrfsError('CRFS_INTERNAL', `${this.name} was not opened`);
    return this.#size;
  }

  /** What tells this version of a mutable blob from others, as far as its server says: an ETag or a time. */
  get validator(): string | undefined {
    return this.#validator;
  }

  /** Learns the size by asking for the first byte. Not needed where the size is known. */
  async open(signal?: AbortSignal): Promise<void> {
    const retry = new Retry(this.#options.policy, signal);
    while (this.#size === undefined) {
      try {
        const response = await this.#request(0, 1, signal);
        if (response !== undefined) await response.discard();
        else this.#size ??= await (await this.#whole)?.size();
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
      const whole = await this.#whole;
      if (whole !== undefined) {
        yield* this.#fromWhole(whole, at, end - at, signal);
        return;
      }
      try {
        const response = await this.#request(at, end, signal);
        for await (const chunk of response?.chunks() ?? []) {
          at += chunk.length;
          fresh += chunk.length;
          if (at > end)
            throw new CrfsError('CRFS_UNREACHABLE', `${this.name}: the server sent more than the range asked for`);
          if (fresh >= PROGRESS) {
            retry.progressed();
            fresh = 0;
          }
          yield chunk;
        }
        if (at < end && response !== undefined)
          throw new TransientError(`${this.name}: the answer ended ${end - at} bytes early`);
      } catch (error) {
        await retry.failed(error);
      }
    }
  }

  async close(): Promise<void> {
    await (await this.#whole)?.close();
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

  /** Asks for [start, end). Undefined if the server sends everything instead: then all of it is kept. */
  async #request(start: number, end: number, signal?: AbortSignal): Promise<HttpResponse | undefined> {
    const response = await this.#options.get({ range: `bytes=${start}-${end - 1}` }, signal);
    try {
      const { status } = response;
      if (status === 200) {
        await this.#takeAll(response);
        return undefined;
      }
      const range = parseContentRange(response.header('content-range'));
      if (status === 416 && range?.total === 0 && (this.#size ?? 0) === 0) {
        this.#size = 0;
        return response;
      }
      if (status === 416) throw this.#replaced(`has ${range?.total ?? 'too few'} bytes`);
      if (status !== 206) throw await refusal(response, `cannot read ${this.name}`);
      if (range?.first !== start || range.last !== end - 1) {
        const sent = response.header('content-range') ?? 'no Content-Range';
        throw new CrfsError(
          'CRFS_UNREACHABLE',
          `${this.name}: asked for bytes ${start}-${end - 1}, the server sent ${sent}`,
        );
      }
      this.#same(response, range.total);
      return response;
    } catch (error) {
      await response.discard();
      throw error;
    }
  }

  async #takeAll(response: HttpResponse): Promise<void> {
    const declared = Number(response.header('content-length') ?? Number.NaN);
    this.#same(response, Number.isSafeInteger(declared) ? declared : this.#size);
    if (this.#whole !== undefined) {
      await response.discard();
      return;
    }
    const { name, policy } = this.#options;
    const content = download(response, async () => await this.#requestAll(), { name, policy, size: this.#size });
    const whole = WholeDownload.create(this.#options.spool, content);
    this.#whole = whole;
    try {
      await whole;
    } catch (error) {
      this.#whole = undefined;
      throw error;
    }
  }

  async #requestAll(): Promise<HttpResponse> {
    const response = await this.#options.get({});
    if (response.status !== 200) throw await refusal(response, `cannot read ${this.name}`);
    this.#same(response, this.#size);
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

  /** Checks that this is the blob that it was, by its size and its validator. */
  #same(response: HttpResponse, total: number | undefined): void {
    const encoding = response.header('content-encoding') ?? 'identity';
    if (encoding !== 'identity')
      throw new CrfsError('CRFS_UNREACHABLE', `${this.name}: the server encodes it (${encoding}), unasked`);
    if (response.status === 206 && total === undefined && this.#size === undefined) {
      throw new CrfsError('CRFS_UNREACHABLE', `${this.name}: the server does not tell its size`);
    }
    if (total !== undefined && total !== (this.#size ?? total)) throw this.#replaced(`has ${total} bytes`);
    this.#size ??= total;
    if (!this.#options.mutable) return;
    const validator = response.header('etag')?.replace(/^W\//, '') ?? response.header('last-modified');
    if (this.#validator !== undefined && validator !== this.#validator)
      throw this.#replaced(`is ${validator ?? 'without a validator'}`);
    this.#validator ??= validator;
  }

  #replaced(found: string): CrfsError {
    const was = `${this.#size ?? 'unknown'} bytes${this.#validator === undefined ? '' : `, ${this.#validator}`}`;
    return new CrfsError(
      'CRFS_NOT_FOUND',
      `${this.name} was replaced while in use: it was ${was} and now ${found}; mount it again`,
    );
  }
}
