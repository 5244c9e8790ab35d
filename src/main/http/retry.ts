// SPDX-License-Identifier: GPL-3.0-or-later

/** Trying again: what is worth it, when, and how long at most. */

import { setTimeout as sleep } from 'node:timers/promises';
import { CrfsError } from '../errors/error.js';

/** A failure that may pass by itself: the network's, or a server's that is busy or broken for now. */
export class TransientError extends CrfsError {
  /** Milliseconds that the server asks to wait before the next attempt. */
  readonly retryAfter: number | undefined;

  /** What failed, and how: the message is both. */
  readonly what: string;
  readonly reason: string;

  constructor(what: string, reason: string, options?: ErrorOptions & { retryAfter?: number | undefined }) {
    super('CRFS_UNREACHABLE', `${what}: ${reason}`, options);
    this.what = what;
    this.reason = reason;
    this.retryAfter = options?.retryAfter;
  }
}

/** That something has failed and will be tried again. */
export interface RetryNotice {
  readonly what: string;
  readonly reason: string;
  /** Of the attempt to come: 2 or more. */
  readonly attempt: number;
  readonly nextInMs: number;
  /** Milliseconds since the first attempt began, or since the last progress. */
  readonly elapsedMs: number;
}

export interface RetryPolicy {
  /** Attempts without progress, the first one included. */
  readonly attempts: number;
  /** Milliseconds before the second attempt; doubled for each further one, up to `longest`, and halved by chance at most. */
  readonly first: number;
  readonly longest: number;
  /** Milliseconds after which no attempt starts, counted from the beginning or from the last progress. */
  readonly total: number;
  /** Told before each wait. */
  readonly onRetry?: (notice: RetryNotice) => void;
}

export const patient: RetryPolicy = { attempts: 6, first: 200, longest: 10_000, total: 90_000 };

/** Tries once. */
export const once: RetryPolicy = { attempts: 1, first: 0, longest: 0, total: 0 };

/** The same for a place that is one of several: whoever has another one to ask does not wait for long. */
export function brief(policy: RetryPolicy): RetryPolicy {
  return { ...policy, attempts: Math.min(policy.attempts, 2), total: Math.min(policy.total, 15_000) };
}

/** For one operation: call `failed` after each failed attempt, and make the next one when it returns. */
export class Retry {
  readonly #policy: RetryPolicy;
  readonly #signal: AbortSignal | undefined;
  #failures = 0;
  #began = performance.now();

  constructor(policy: RetryPolicy, signal?: AbortSignal) {
    this.#policy = policy;
    this.#signal = signal;
  }

  /** Some of what was asked for has arrived: the bounds apply to what is left. */
  progressed(): void {
    this.#failures = 0;
    this.#began = performance.now();
  }

  /** Waits until another attempt may be made, or rejects with the error that ends the operation. */
  async failed(error: unknown): Promise<void> {
    this.#signal?.throwIfAborted();
    if (!(error instanceof TransientError)) throw error;
    this.#failures++;
    const backoff = Math.min(this.#policy.longest, this.#policy.first * 2 ** (this.#failures - 1));
    const wait = Math.max(backoff * (0.5 + Math.random() / 2), error.retryAfter ?? 0);
    const elapsed = performance.now() - this.#began;
    if (this.#failures >= this.#policy.attempts || elapsed + wait > this.#policy.total) {
      const times = this.#failures === 1 ? '1 attempt' : `${this.#failures} attempts`;
      throw new CrfsError(error.code, `${error.message} (gave up after ${times})`, { cause: error });
    }
    const { what, reason } = error;
    this.#policy.onRetry?.({ what, reason, attempt: this.#failures + 1, nextInMs: wait, elapsedMs: elapsed });
    try {
      await sleep(wait, undefined, this.#signal && { signal: this.#signal });
    } finally {
      this.#signal?.throwIfAborted();
    }
  }
}

/** Runs `attempt` until it succeeds, or fails for good, or the policy's bounds are reached. */
export async function retrying<T>(policy: RetryPolicy, attempt: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const retry = new Retry(policy, signal);
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      await retry.failed(error);
    }
  }
}

/** Milliseconds that a Retry-After header asks for: seconds, or an HTTP date (RFC 9110 section 10.2.3). */
export function retryAfter(header: string | undefined, now = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
