// SPDX-License-Identifier: GPL-3.0-or-later

/** The TOC's member and the footer, which end a layer: eStargz specification, "TOC" and "Footer". */

import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { Spool } from '../../blob/spool.js';
import { footerOf } from '../../formats/estargz/footer.js';
import { TOC_NAME } from '../../formats/estargz/names.js';
import { BLOCK_SIZE, padding, plainHeader } from '../../tar/header.js';
import type { StargzFormat } from '../form.js';
import type { MemberWriter } from '../members.js';

/** The byte of a gzip header that names the system, and the value for none: RFC 1952, 2.3.1. */
const GZIP_OS_AT = 9;
const OS_UNKNOWN = 255;

/** Writes the TOC as one gzip member, then the footer that points to it. */
export async function writeEnd(members: MemberWriter, toc: Spool, format: StargzFormat, level: number): Promise<void> {
  const offset = members.written;
  const gzip = createGzip({ level });
  pipeline(Readable.from(tocTar(members, toc)), gzip, () => {
    // The loop below meets the same error.
  });
  let head = true;
  for await (const piece of gzip as AsyncIterable<Buffer>) {
    if (head) piece[GZIP_OS_AT] = OS_UNKNOWN; // zlib names this machine's: the same tar is to give the same bytes everywhere
    head = false;
    await members.append(piece);
  }
  await members.append(footerOf(format, offset));
}

async function* tocTar(members: MemberWriter, toc: Spool): AsyncGenerator<Uint8Array> {
  for await (const part of tocParts(toc)) {
    members.account(part);
    yield part;
  }
}

async function* tocParts(toc: Spool): AsyncGenerator<Uint8Array> {
  yield plainHeader(TOC_NAME, toc.size);
  yield* toc.read();
  yield padding(toc.size);
  yield Buffer.alloc(2 * BLOCK_SIZE);
}
