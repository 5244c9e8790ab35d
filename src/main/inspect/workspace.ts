// SPDX-License-Identifier: GPL-3.0-or-later

import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { namelessFile } from '../blob/nameless-file.js';
import { spoolDirectory, spoolError } from '../blob/spool.js';
import { readKept } from '../cache/last-seen.js';
import type { Variables } from '../environment/environment.js';
import { Interrupted, type InterruptingSignal, interruptingSignals } from '../errors/interrupted.js';
import { tellingRetries } from '../output/retries.js';
import { note, tellError } from '../output/tell.js';
import type { RegistryClient } from '../registry/client.js';
import type { ManifestStore } from '../registry/types.js';
import { ownCache } from './own-cache.js';

interface Closable {
  close(): Promise<void>;
}

/** Whole layers may lie there for a while. Throws CRFS_DENIED or CRFS_NO_SPACE where $TMPDIR is of no use. */
function makeDirectory(): string {
  try {
    return mkdtempSync(join(spoolDirectory(), 'crfs-'));
  } catch (error) {
    throw spoolError(error);
  }
}

/** What one command uses while it looks at layers by itself: a directory that goes away with it, and a client. */
export class Workspace {
  readonly directory = makeDirectory();
  /** Manifests seen, and those in the cache, so that none is asked for twice; configs that the cache keeps. */
  readonly manifests: ManifestStore;
  readonly #remove = (): void => rmSync(this.directory, { recursive: true, force: true });
  readonly #kept: Closable[] = [];
  readonly #environment: Variables;
  #client: Promise<RegistryClient> | undefined;

  /** Registries are asked, and images trusted, as the environment says. */
  constructor(environment: Variables) {
    this.#environment = environment;
    const seen = new Map<string, Uint8Array>();
    const cache = ownCache();
    this.manifests = {
      get: async (digest) => seen.get(digest) ?? (cache && readKept(cache, digest)),
      put: async (digest, bytes) => void seen.set(digest, bytes),
    };
    process.on('exit', this.#remove);
    for (const signal of interruptingSignals) process.on(signal, exitBy);
  }

  /** The registry client; its modules are loaded when it is first asked for. */
  client(): Promise<RegistryClient> {
    this.#client ??= this.#open();
    return this.#client;
  }

  async #open(): Promise<RegistryClient> {
    const { RegistryClient: Client } = await import('../registry/client.js');
    const { accessOf } = await import('../registry/access.js');
    const onRetry = tellingRetries(note);
    return new Client({ spool: this.directory, ...accessOf(this.#environment), onRetry });
  }

  /** Closes a resource when the workspace is closed. */
  closeLater(resource: Closable): void {
    this.#kept.push(resource);
  }

  /** A path of its own for a file. */
  path(): string {
    return join(this.directory, randomUUID());
  }

  /** A file without a name, to write and to read. The caller closes it. */
  async file(): Promise<FileHandle> {
    return await namelessFile(this.directory);
  }

  async close(): Promise<void> {
    await (await this.#client?.catch(() => undefined))?.close();
    for (const resource of this.#kept) await resource.close();
    this.#remove();
    process.off('exit', this.#remove);
    for (const signal of interruptingSignals) process.off(signal, exitBy);
  }
}

/** Ends the process. Its message is the last thing that is printed, after what other `exit` listeners print. */
function exitBy(signal: InterruptingSignal): never {
  const { message, code, exitCode } = new Interrupted(signal);
  process.on('exit', () => tellError(message, code));
  process.exit(exitCode);
}
