// SPDX-License-Identifier: GPL-3.0-or-later

/** What forms of layers differ in, to whoever writes one. */

import type { Spool } from '../blob/spool.js';
import type { TarEntry } from '../tar/entry.js';
import type { MemberWriter } from './members.js';
import type { TocDialect, TocWriter } from './toc.js';

/** The default first. */
export const OUTPUT_FORMATS = ['estargz', 'zstd:chunked', 'stargz'] as const;
/** What layers can be written as; everything that can be read is a LayerFormat. */
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];
export type StargzFormat = Exclude<OutputFormat, 'zstd:chunked'>;

/** What is written beside the entries of one layer. */
export interface LayerForm {
  /** Whether the tar gets landmarks. */
  readonly landmarks: boolean;
  /** Whether a member that holds a chunk ends where that does. */
  readonly endsAtChunks: boolean;
  readonly dialect: TocDialect;
  /** Takes each part of the tar as it is written: the headers of an entry, its content, and what fills up its last block. */
  readonly parts: TarParts;
  /** Writes the end of the layer. `tail`: bytes that stand behind the last entry in the tar that is converted. */
  end(members: MemberWriter, toc: TocWriter, spool: Spool, tail: number): Promise<LayerEnd>;
  close(): Promise<void>;
}

export interface TarParts {
  header(entry: TarEntry): Promise<void> | undefined;
  content(piece: Uint8Array): void;
  /** Bytes that are no content, behind a file's. */
  filling(bytes: Uint8Array): Promise<void> | undefined;
}

export interface LayerEnd {
  /** What manifests name the TOC by, `sha256:` and hexadecimal digits. */
  readonly tocDigest: string;
  /** What the layer's descriptor says for readers. */
  readonly annotations: Readonly<Record<string, string>>;
}
