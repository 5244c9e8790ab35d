// SPDX-License-Identifier: GPL-3.0-or-later

import { closeSync, fstatSync } from 'node:fs';
import { CrfsError } from '../errors/error.js';

/** One layer of what a configuration names. */
export interface ResolvedLayer {
  /** What to call it in messages. */
  readonly name: string;
  /** Says which bytes the blob has: equal identities, equal bytes. */
  readonly identity: string;
  /** The blob. */
  readonly blob: HeldFile;
}

/** A descriptor with one owner at a time: who takes it closes it. */
export class HeldFile {
  readonly fd: number;
  #held = true;

  constructor(fd: number) {
    this.fd = fd;
  }

  take(): number {
    this.#held = false;
    return this.fd;
  }

  /** Closes it, unless it was taken. */
  release(): void {
    if (this.#held) closeSync(this.take());
  }
}

/** What a configuration stands for now. */
export interface Resolved {
  /** The configuration that leads to the very same layers again. */
  readonly text: string;
  /** The base layer first, as manifests list them. */
  readonly layers: readonly ResolvedLayer[];
}

/**
 * Finds the layers that a mount's configuration names: `/path/to/file`, with `file` open on it.
 * Throws CRFS_USAGE for what cannot be served.
 */
export function resolveConfiguration(text: string, file: HeldFile | undefined): Resolved {
  if (text.startsWith('/') && file !== undefined) {
    if (!fstatSync(file.fd).isFile()) throw new CrfsError('CRFS_USAGE', 'not a regular file, and so no layer');
    return { text, layers: [{ name: text, identity: fileIdentity(file.fd), blob: file }] };
  }
  throw new CrfsError('CRFS_USAGE', 'only layers in local files can be served: /path/to/file or file:///path');
}

/** Equal as long as nobody has written to the file. */
function fileIdentity(fd: number): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = fstatSync(fd, { bigint: true });
  return `file ${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}
