// SPDX-License-Identifier: GPL-3.0-or-later

import { constants } from 'node:os';
import { CrfsError, type ErrorCode } from '../errors/error.js';
import { isNoSpace } from '../errors/no-space.js';
import { withoutPasswords } from '../errors/passwords.js';
import { NO_DESCRIPTORS } from './listener.js';
import type { Answer } from './message.js';
import { withoutName } from './without-name.js';

const { EACCES, EBUSY, EHOSTUNREACH, EINVAL, EIO, ENOENT, ENOSPC } = constants.errno;
const ERRNO: Readonly<Record<ErrorCode, number>> = {
  CRFS_USAGE: EINVAL,
  CRFS_NOT_FOUND: ENOENT,
  CRFS_DENIED: EACCES,
  CRFS_BUSY: EBUSY,
  CRFS_UNREACHABLE: EHOSTUNREACH,
  CRFS_NOT_STARGZ: EINVAL,
  CRFS_BAD_LAYER: EIO,
  CRFS_DIGEST: EIO,
  CRFS_NO_SPACE: ENOSPC,
  CRFS_INTERNAL: EIO,
};

const NO_SPACE =
  'no space is left on the disk of the cache: make room, or set XDG_CACHE_HOME to a directory on another one';

/** What a mount is told of an error: the mount itself names the configurations that it `asked` for. */
export function refusalOf(error: unknown, asked: readonly string[]): Answer {
  const { code, message } = error as NodeJS.ErrnoException;
  const errno = error instanceof CrfsError ? ERRNO[error.code] : isNoSpace(error) ? ENOSPC : EIO;
  const known = code === 'EMFILE' ? NO_DESCRIPTORS : code === 'ENOSPC' ? NO_SPACE : undefined;
  const why = known ?? asked.reduce(withoutName, message);
  return { kind: 'error', errno, text: withoutPasswords(why) };
}
