// SPDX-License-Identifier: GPL-3.0-or-later

import { constants } from 'node:os';
import { CrfsError } from '../../main/errors/error.js';
import { isNoSpace } from '../../main/errors/no-space.js';

const { EAGAIN, EIO, ENOSPC } = constants.errno;

/** Why a file cannot be filled: for the log, and as the errno that whoever opens it gets. */
export interface Fault {
  readonly errno: number;
  readonly code: string;
  readonly message: string;
}

export function describeFault(error: unknown): Fault {
  if (error instanceof CrfsError) {
    const { code, message } = error;
    return { errno: isNoSpace(error) ? ENOSPC : EIO, code, message };
  }
  const { code = 'CRFS_INTERNAL', message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return { errno: EAGAIN, code, message }; // the cache was removed, or a file of it
  return { errno: isNoSpace(error) ? ENOSPC : EIO, code, message };
}

/** Whether the bytes of the blob are to blame, which may be right when they are fetched again. */
export function isOfBytes({ code }: Fault): boolean {
  return code === 'CRFS_DIGEST' || code === 'CRFS_BAD_LAYER';
}
