// SPDX-License-Identifier: GPL-3.0-or-later

/** Takes the bytes of a blob in order. */
export interface BlobSink {
  write(bytes: Uint8Array): Promise<void>;
}
