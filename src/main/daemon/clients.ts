// SPDX-License-Identifier: GPL-3.0-or-later

import type { Logger } from 'pino';
import type { RetryNotice } from '../http/retry.js';
import type { RegistryClient } from '../registry/client.js';

const TOLD_FROM_MS = 1000;

/** One mount's share of a client. */
export interface ClientLease {
  /** Tells clients apart: leases with equal numbers have the same client. */
  readonly number: number;
  /** Made when it is first asked for. */
  client(): Promise<RegistryClient>;
  /** To be called once, when nothing uses it any more. */
  release(): Promise<void>;
}

interface Shared {
  readonly number: number;
  client: Promise<RegistryClient> | undefined;
  mounts: number;
}

/**
 * The clients by which registries are asked: one for each environment that mounts have, so that no mount's credentials
 * and proxies are used for another one.
 */
export class Clients {
  readonly #spool: string;
  readonly #shared = new Map<string, Shared>();
  readonly #log: Logger;
  #next = 0;

  /** `spool` is a directory for temporary files. The log is told what is tried again. */
  constructor(spool: string, log: Logger) {
    this.#spool = spool;
    this.#log = log;
  }

  /** For a mount with this environment. */
  lease(env: Readonly<Record<string, string>>): ClientLease {
    const inOrder = Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1)); // front ends tell it in orders of their own
    const key = JSON.stringify(inOrder);
    const shared = this.#shared.get(key) ?? { number: this.#next++, client: undefined, mounts: 0 };
    shared.mounts++;
    this.#shared.set(key, shared);
    return {
      number: shared.number,
      client: () => (shared.client ??= this.#open(env)),
      release: async () => {
        if (--shared.mounts > 0) return;
        this.#shared.delete(key);
        await (await shared.client?.catch(() => undefined))?.close();
      },
    };
  }

  /** HTTP takes a good part of the daemon's start to load: mounts of local files do without. */
  async #open(env: Readonly<Record<string, string>>): Promise<RegistryClient> {
    const { RegistryClient: Client } = await import('../registry/client.js');
    const { accessOf } = await import('../registry/access.js');
    const onRetry = (notice: RetryNotice): void => this.#logRetry(notice);
    return new Client({ spool: this.#spool, ...accessOf(env), onRetry });
  }

  /** Each time that somebody waits for longer than a second because of it. */
  #logRetry({ what, reason, attempt, nextInMs, elapsedMs }: RetryNotice): void {
    const ms = Math.round(elapsedMs + nextInMs);
    if (ms >= TOLD_FROM_MS) this.#log.warn({ attempt, ms }, `${what}: ${reason}; trying again`);
  }
}
