// SPDX-License-Identifier: GPL-3.0-or-later

/** Credentials, from the places that `credential-helpers` of registries.conf lists. */

import type { Environment } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { AuthFiles } from './auth-file.js';
import { CredentialHelpers } from './credential-helper.js';
import type { Credentials } from './credentials.js';
import { AUTH_FILES, type RegistriesFiles } from './registries-conf.js';

export class CredentialStores {
  readonly #registries: RegistriesFiles;
  readonly #helpers: CredentialHelpers;
  readonly #files: AuthFiles;
  /** By registry, why a place that may have credentials could not be asked. */
  readonly #complaints = new Map<string, string>();

  constructor(registries: RegistriesFiles, environment: Environment) {
    this.#registries = registries;
    this.#helpers = new CredentialHelpers(environment);
    this.#files = new AuthFiles(environment, this.#helpers);
  }

  /**
   * The credentials for a repository from the first place that has any, or undefined if none has. A place that fails is
   * passed over, as most images are for everybody: see `complaint`. Rejects with CRFS_USAGE if a file cannot be read.
   */
  async find(registry: string, repository: string): Promise<Credentials | undefined> {
    const { credentialHelpers } = await this.#registries.load();
    this.#complaints.delete(registry);
    for (const name of credentialHelpers) {
      try {
        const found = await (name === AUTH_FILES
          ? this.#files.find(registry, repository)
          : this.#helpers.ask(name, registry)); // helpers know hosts, not repositories
        if (found !== undefined) return found;
      } catch (error) {
        if (!(error instanceof CrfsError) || error.code !== 'CRFS_DENIED') throw error;
        if (!this.#complaints.has(registry)) this.#complaints.set(registry, error.message);
      }
    }
    return undefined;
  }

  /** Why a place that may have credentials for a registry was passed over when they were last looked for. */
  complaint(registry: string): string | undefined {
    return this.#complaints.get(registry);
  }

  /** What was found for a registry was refused: whatever was remembered is looked for anew. */
  forget(registry: string): void {
    this.#files.forget(registry);
  }
}
