// SPDX-License-Identifier: GPL-3.0-or-later

/** The entries of a TOC of stargz: eStargz specification, "TOC". */

import { EMPTY_HEX } from '../../blob/digest.js';
import type { TarEntry } from '../../tar/entry.js';
import type { Chunk } from '../members.js';
import type { Placed } from '../tar-placement.js';
import type { Fields, FileContent, TocDialect } from '../toc.js';

export class StargzDialect implements TocDialect {
  readonly #chunkDigests: boolean;
  readonly #users = new Map<number, string>();
  readonly #groups = new Map<number, string>();

  /** `chunkDigests`: legacy stargz has none. */
  constructor(chunkDigests: boolean) {
    this.#chunkDigests = chunkDigests;
  }

  fields({ uid, gid, userName, groupName }: TarEntry, { fields }: Placed): Fields {
    const owners = {
      userName: firstUse(this.#users, uid, userName),
      groupName: firstUse(this.#groups, gid, groupName),
    };
    return { ...fields, ...owners };
  }

  content(content: FileContent): readonly [Fields, ...Fields[]] {
    const [first, ...others] = content.chunks;
    const digest = `sha256:${content.digest ?? first?.digest ?? EMPTY_HEX}`;
    const own = { digest, ...(first && this.#place(first, content)) };
    return [own, ...others.map((chunk) => this.#place(chunk, content))];
  }

  /** The fields that say where a chunk is; a file in one chunk, and a last chunk, need no size. */
  #place(chunk: Chunk, content: FileContent): Fields {
    return {
      offset: chunk.offset,
      innerOffset: chunk.innerOffset,
      chunkOffset: chunk.fileOffset,
      chunkSize: chunk === content.chunks.at(-1) ? 0 : chunk.size,
      chunkDigest: this.#chunkDigests ? `sha256:${chunk.digest}` : '',
    };
  }
}

/** Names of users and groups stand where their number comes first, or the name changes. */
function firstUse(names: Map<number, string>, id: number, name: string): string {
  if (name === '' || names.get(id) === name) return '';
  names.set(id, name);
  return name;
}
