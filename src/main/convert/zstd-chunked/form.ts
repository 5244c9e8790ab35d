// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Layers in zstd:chunked: the tar as it was, in zstd frames of which each chunk has its own; behind it, in skippable frames,
 * the TOC, the tar without its content as tar-split has it, and a footer. (containers/storage,
 * docs/containers-storage-zstd-chunked.md)
 */

import type { Spool } from '../../blob/spool.js';
import { zeros } from '../../blob/zeros.js';
import { LayerFault } from '../../formats/fault.js';
import { nameOfBytes } from '../../formats/name-bytes.js';
import { footerOf, type PlacedBytes, positionOf, skippableHead } from '../../formats/zstd-chunked/place.js';
import { zstdTocAnnotations } from '../../registry/named-toc.js';
import type { Deflater } from '../deflater.js';
import type { LayerEnd, LayerForm } from '../form.js';
import type { MemberWriter } from '../members.js';
import type { Remarks } from '../remarks.js';
import { Packed } from './packed.js';
import { Plainness } from './plainness.js';
import { TarSplit } from './tar-split.js';
import { ZstdChunkedDialect } from './toc-dialect.js';

/** What a skippable frame can hold: RFC 8878, 3.1.2. */
const FRAME_LIMIT = 2 ** 32 - 1;

/** A new layer. */
export async function zstdChunkedForm(deflater: Deflater, remarks: Remarks): Promise<LayerForm> {
  const plainness = new Plainness();
  const packed = await Packed.create(deflater);
  const split = new TarSplit(packed);
  let isPlain = true;
  return {
    landmarks: false,
    endsAtChunks: true,
    dialect: new ZstdChunkedDialect((entry, placed, header) => {
      const why = plainness.whyNot(entry, placed, header);
      if (why === undefined) return;
      isPlain = false;
      remarks.add(`${why}: podman fetches no parts of the layer`, nameOfBytes(entry.name));
    }),
    parts: {
      header: (entry) => (isPlain ? split.header(entry) : undefined),
      content: (piece) => (isPlain ? split.content(piece) : undefined),
      filling: (bytes) => (isPlain ? split.filling(bytes) : undefined),
    },
    async end(members, toc, spool, tail) {
      for (const piece of zeros(tail)) {
        await members.write(piece);
        if (isPlain) await split.tail(piece);
      }
      if (isPlain) await split.end();
      const splitDigest = await packed.finish();
      const tarSplit =
        isPlain && packed.size > 0 && packed.size <= FRAME_LIMIT ? { packed, digest: splitDigest } : undefined;
      await members.finish();
      await toc.finish(tarSplit && { tarSplitDigest: tarSplit.digest });
      return await writeEnd(members, deflater, spool, tarSplit);
    },
    close: () => packed.close(),
  };
}

interface Part {
  readonly packed: Packed;
  readonly digest: string;
}

async function writeEnd(
  members: MemberWriter,
  deflater: Deflater,
  json: Spool,
  tarSplit: Part | undefined,
): Promise<LayerEnd> {
  const packed = await Packed.create(deflater);
  try {
    for await (const piece of json.read()) await packed.write(piece);
    const digest = await packed.finish();
    const toc = await append(members, packed);
    const split = tarSplit && { digest: tarSplit.digest, place: await append(members, tarSplit.packed) };
    await members.append(footerOf(toc, split?.place));
    const annotations = zstdTocAnnotations({
      digest,
      position: positionOf(toc),
      ...(split && { tarSplit: { digest: split.digest, position: splitPosition(split.place) } }),
    });
    return { tocDigest: digest, annotations };
  } finally {
    await packed.close();
  }
}

/** Appends a skippable frame. */
async function append(members: MemberWriter, packed: Packed): Promise<PlacedBytes> {
  if (packed.size > FRAME_LIMIT) throw new LayerFault('has too many entries: its TOC would take more than 4 GiB');
  await members.append(skippableHead(packed.size));
  const start = members.written;
  for await (const piece of packed.read()) await members.append(piece);
  return { start, packed: packed.size, length: packed.rawSize };
}

function splitPosition({ start, packed, length }: PlacedBytes): string {
  return [start, packed, length].join(':');
}
