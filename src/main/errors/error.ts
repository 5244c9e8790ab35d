// SPDX-License-Identifier: GPL-3.0-or-later

/** What can go wrong, by stable code: programs match on `code`, never on the message. */
export type ErrorCode =
  | 'CRFS_USAGE' // what the person or the configuration asked for makes no sense
  | 'CRFS_NOT_FOUND' // the file, image or blob does not exist
  | 'CRFS_DENIED' // credentials or rights are missing or refused, or policy forbids it
  | 'CRFS_BUSY' // something is in the way: a mount, a daemon, files that are there
  | 'CRFS_UNREACHABLE' // the network or a server failed, after retries
  | 'CRFS_NOT_STARGZ' // a layer that is not stargz
  | 'CRFS_BAD_LAYER' // a layer that breaks its format
  | 'CRFS_DIGEST' // bytes that do not match their digest
  | 'CRFS_NO_SPACE' // the disk is full, or a quota reached
  | 'CRFS_INTERNAL';

/**
 * An error for a person: `message` is one line that says what was asked, what was found, and where it helps what to do.
 */
export class CrfsError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CrfsError';
    this.code = code;
  }
}
