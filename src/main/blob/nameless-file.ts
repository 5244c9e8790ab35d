// SPDX-License-Identifier: GPL-3.0-or-later

import { randomUUID } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/** A file in `directory` to write and to read, without a name: it goes with the process, whatever ends that. Rejects as the system does. */
export async function namelessFile(directory: string): Promise<FileHandle> {
  const path = join(directory, `crfs-${randomUUID()}`);
  const file = await open(path, 'wx+', 0o600);
  try {
    await unlink(path);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
