// SPDX-License-Identifier: GPL-3.0-or-later

/** A part of a file: a chunk of its content, or a hole. */
export interface Part {
  /** Bytes. */
  readonly size: number;
  /** sha256 in hex; undefined: it is zeros. */
  readonly digest: string | undefined;
}

/** Takes the content of files as a pass over a layer comes by it: a file after the other, from its front to its back. */
export interface ContentSink {
  /** The content of a file of so many bytes begins. Returns whether it is wanted: else nothing more is told of it. */
  begin(size: number): boolean;
  /** Bytes of it, and where they belong in it; they are valid until this returns. Holes are left out. */
  write(bytes: Uint8Array, fileOffset: number): void;
  /** All of it has come: these parts. */
  end(parts: readonly Part[]): void;
}

/** Wants nothing. */
export const NO_SINK: ContentSink = { begin: () => false, write: () => undefined, end: () => undefined };
