// SPDX-License-Identifier: GPL-3.0-or-later

import type { RunDirectory } from './mounter.js';
import type { RunRequest } from './request.js';

/** What runs a container in a directory with its files. */
export interface Engine {
  /**
   * The command that runs it in the foreground, and ends as it ends; what that needs in the directory is made, where the image
   * is mounted by now. Throws CRFS_USAGE, CRFS_BAD_LAYER.
   */
  command(request: RunRequest, directory: RunDirectory): readonly string[];
  /** The command that kills it, by the ID that the engine has noted. */
  kill(id: string): readonly string[];
}
