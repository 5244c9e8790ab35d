// SPDX-License-Identifier: GPL-3.0-or-later

/** Credentials, from the places that `credential-helpers` of registries.conf lists. */

import type { Surroundings } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { AuthFiles, type Credentials } from './auth-file.js';
import { askHelper } from './credential-helper.js';
import { AUTH_FILES, type RegistriesFiles } from './registries-conf.js';

export class CredentialStores {
  readonly #registries: RegistriesFiles;
  readonly #surroundings: Surroundings;
  readonly #files: AuthFiles;

  constructor(registries: RegistriesFiles, surroundings: Surroundings) {
    this.#registries = registries;
    this.#surroundings = surroundings;
    this.#files = new AuthFiles(surroundings);
  }

  /**
   * The credentials for a repository from the first place that has any, or undefined if none has. A place that fails is
   * passed over; its error ends the search only where no other place knows better. Rejects as AuthFiles.find does.
   */
  async find(registry: string, repository: string): Promise<Credentials | undefined> {
    const { credentialHelpers } = await this.#registries.load();
    let failure: CrfsError | undefined;
    for (const name of credentialHelpers) {
      try {
        const found = await (name === AUTH_FILES
          ? this.#files.find(registry, repository)
          : askHelper(name, registry, this.#surroundings)); // helpers know hosts, not repositories
        if (found !== undefined) return found;
      } catch (error) {
        if (!(error instanceof CrfsError)) throw error;
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return undefined;
  }
}
