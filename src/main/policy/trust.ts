// SPDX-License-Identifier: GPL-3.0-or-later

import { join } from 'node:path';
import { ConfigFiles, type Environment, homeOf } from '../environment/environment.js';
import { CrfsError } from '../errors/error.js';
import { type Policy, parsePolicy, requirementsFor } from './policy.js';
import type { Subject } from './subject.js';

export interface TrustOptions {
  /** The policy file, instead of the user's or the system's. */
  readonly policy?: string;
  /** No policy counts. */
  readonly acceptAnything?: boolean;
}

/** Whether images may be read, by the policy of a user and the machine. */
export class Trust {
  readonly #options: TrustOptions;
  readonly #environment: Environment;
  readonly #files = new ConfigFiles(parsePolicy);

  constructor(options: TrustOptions, environment: Environment) {
    this.#options = options;
    this.#environment = environment;
  }

  /**
   * Resolves if the policy, read anew where it has changed, accepts an image; where there is none, all are accepted.
   * Rejects with CRFS_DENIED if it does not, or wants signatures, which are not verified here; with CRFS_NOT_FOUND or
   * CRFS_USAGE if the policy file is not there or makes no sense.
   */
  async require(subject: Subject): Promise<void> {
    if (this.#options.acceptAnything) return;
    const policy = await this.#policy();
    if (policy === undefined) return;
    const { requirements, by } = requirementsFor(policy, subject);
    const refuse = (what: string): CrfsError => new CrfsError('CRFS_DENIED', `${subject.name}: ${policy.path} ${what}`);
    if (requirements.some(({ type }) => type === 'reject')) throw refuse(`rejects it, by ${by}`);
    const wanted = requirements.find(({ type }) => type !== 'insecureAcceptAnything');
    if (wanted) throw refuse(`wants it signed (${wanted.type}, by ${by}), and crfs cannot verify signatures`);
  }

  async #policy(): Promise<Policy | undefined> {
    const { policy: named } = this.#options;
    if (named !== undefined) {
      const found = await this.#files.get(named);
      if (found === undefined) throw new CrfsError('CRFS_NOT_FOUND', `there is no policy file ${named}`);
      return found;
    }
    const user = join(homeOf(this.#environment), '.config/containers/policy.json');
    return (
      (await this.#files.get(user)) ?? (await this.#files.get(join(this.#environment.etc, 'containers/policy.json')))
    );
  }
}
