// SPDX-License-Identifier: GPL-3.0-or-later

/** Where the bytes of a blob come from: a file, a URL, a registry. */
export interface BlobSource {
  /** What to call the blob in messages: a path, a URL without credentials, an image reference and a digest. */
  readonly name: string;
  /** Bytes of the whole blob. */
  readonly size: number;
  /**
   * Reads exactly `length` bytes from byte `offset`.
   * Rejects with a CrfsError if the range lies outside the blob, or cannot be had in bounded time.
   */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** The same into memory of the caller's, as many bytes as that has, where a source does that faster. */
  readInto?(offset: number, room: Uint8Array): Promise<void>;
  /** Releases what the source holds. Reads under way may fail. */
  close(): Promise<void>;
}

/** A blob whose ranges can also be had while they arrive. */
export interface StreamSource extends BlobSource {
  /**
   * Yields exactly the bytes [offset, offset + length), in order, in pieces as they arrive: valid until the next one is asked for.
   * Fails as `read` does. Stopping early, or aborting `signal`, ends the request.
   */
  stream(offset: number, length: number, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** How many servers the bytes may come from, mirrors included; 1 if left out. */
  readonly places?: number;
  /** Tells the source that the bytes [offset, offset + length) turned out to be wrong: it asks another server from then on. */
  doubt?(offset: number, length: number): void;
}
