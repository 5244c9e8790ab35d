// SPDX-License-Identifier: GPL-3.0-or-later

import { CrfsError } from '../errors/error.js';
import type { HttpResponse } from './transport.js';
import { isSameVersion, nameOfVersion, type Version, versionOf } from './version.js';

/** What all answers about one blob must have in common. */
export class Identity {
  /** Bytes; undefined until it is known. */
  size: number | undefined;
  readonly #name: string;
  readonly #mutable: boolean;
  #version: Version | undefined;

  /** `mutable`: the bytes may change behind the name, so that the version must stay the same. */
  constructor({ name, size, mutable }: { readonly name: string; readonly size?: number; readonly mutable: boolean }) {
    this.#name = name;
    this.size = size;
    this.#mutable = mutable;
  }

  /** What tells this version of a mutable blob from others, as far as its server says. */
  get validator(): string | undefined {
    return this.#version && nameOfVersion(this.#version);
  }

  /**
   * Throws unless an answer, by which the whole blob has `total` bytes, is about the same blob as those before. Content-Encoding
   * says nothing of that: no encoding is asked for, and servers put it on blobs that are stored so. Where one encodes
   * nevertheless, the size tells, or the digest.
   */
  check(response: HttpResponse, total: number | undefined): void {
    if (total !== undefined && total !== (this.size ?? total)) throw this.replaced(`has ${total} bytes`);
    this.size ??= total;
    if (!this.#mutable) return;
    const version = versionOf(response);
    const name = nameOfVersion(version);
    if (this.#version !== undefined && !isSameVersion(this.#version, version))
      throw this.replaced(`is ${name ?? 'without a validator'}`);
    if (name !== undefined) this.#version ??= version;
  }

  /** The error for a blob that is found to be another one. */
  replaced(found: string): CrfsError {
    if (!this.#mutable)
      return new CrfsError('CRFS_BAD_LAYER', `${this.#name} should have ${this.size} bytes, but ${found}`);
    const was = `${this.size ?? 'unknown'} bytes${this.validator === undefined ? '' : `, ${this.validator}`}`;
    return new CrfsError(
      'CRFS_NOT_FOUND',
      `${this.#name} was replaced while in use: it was ${was} and now ${found}; mount it again`,
    );
  }
}
