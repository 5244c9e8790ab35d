// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * The entries of a TOC of zstd:chunked. Names and modes are those of the tar's headers as they are written: containers-storage
 * takes no TOC that says another thing than tar-split.
 */

import { createHash } from 'node:crypto';
import { zeros } from '../../blob/zeros.js';
import { formatTime } from '../../formats/json-toc/format-time.js';
import { nameOfBytes } from '../../formats/name-bytes.js';
import type { TarEntry } from '../../tar/entry.js';
import { type Header, parseHeader } from '../../tar/header.js';
import { parsePaxTime } from '../../tar/pax.js';
import type { Chunk } from '../members.js';
import type { Placed } from '../tar-placement.js';
import type { Fields, FileContent, TocDialect } from '../toc.js';

/** Told of each entry, where it lands, and its header. */
export type See = (entry: TarEntry, placed: Placed, header: Header) => void;

export class ZstdChunkedDialect implements TocDialect {
  readonly #see: See;
  #zeros: { readonly size: number; readonly digest: string } | undefined;

  constructor(see: See) {
    this.#see = see;
  }

  fields(entry: TarEntry, placed: Placed): Fields {
    const { userName: _user, groupName: _group, ...fields } = placed.fields;
    const header = parseHeader(entry.headers.at(-1) as Uint8Array) as Header;
    this.#see(entry, placed, header);
    return {
      ...fields,
      name: nameOfBytes(entry.name) || '.',
      linkName: nameOfBytes(entry.linkName),
      mode: header.mode < 0 ? entry.mode : header.mode,
      accesstime: timeOf(entry, 'atime'),
      changetime: timeOf(entry, 'ctime'),
    };
  }

  content(content: FileContent): readonly [Fields, ...Fields[]] {
    const [first, ...others] = content.chunks;
    const last = content.chunks.at(-1);
    if (!first || !last) return [{}];
    const whole = { digest: `sha256:${content.digest ?? first.digest}`, offset: first.offset, endOffset: last.end };
    if (others.length === 0) return [whole];
    const [own, ...chunks] = content.chunks.map((chunk) => this.#chunk(chunk, chunk === last));
    return [{ ...whole, ...own }, ...chunks];
  }

  /** A chunk of zeros need not be fetched. All but a file's last one are of one size. */
  #chunk({ offset, fileOffset, size, digest }: Chunk, isLast: boolean): Fields {
    const chunkType = !isLast && digest === this.#digestOfZeros(size) ? 'zeros' : '';
    return { offset, chunkOffset: fileOffset, chunkSize: size, chunkDigest: `sha256:${digest}`, chunkType };
  }

  #digestOfZeros(size: number): string {
    if (this.#zeros?.size === size) return this.#zeros.digest;
    const hash = createHash('sha256');
    for (const piece of zeros(size)) hash.update(piece);
    this.#zeros = { size, digest: hash.digest('hex') };
    return this.#zeros.digest;
  }
}

function timeOf({ records }: TarEntry, keyword: string): string {
  const value = records.get(keyword);
  return value === undefined || value.length === 0 ? '' : formatTime(parsePaxTime(value));
}
