// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Where a layer in zstd:chunked keeps its TOC. It says so itself, in a footer: a skippable zstd frame at its end, of
 * little-endian u64. So do the manifests of images, in an annotation.
 */

import type { BlobSource } from '../../blob/source.js';
import { CrfsError } from '../../errors/error.js';
import { quote } from '../fault.js';

/** The TOC of a blob. Offsets and lengths in bytes. */
export interface TocPlace {
  /** Of the zstd frame, within a skippable one. */
  readonly start: number;
  readonly end: number;
  /** Of the JSON. */
  readonly length: number;
}

/** Magic number and length of a skippable frame (RFC 8878, 3.1.2). */
const FRAME_HEAD = 8;
const MAGIC = 0x184d2a50;
/** A TOC in JSON, as stargz has it: there is no other. */
const TYPE = 1;

/** Both forms of the footer: its bytes, without the frame's head, and what it ends with. The later one has tar-split, too. */
const FORMS = [
  { length: 64, word: 'GNUlInUx' },
  { length: 40, word: 'GnUlInUx' },
] as const;
const LONGEST = FRAME_HEAD + FORMS[0].length;

/** Bytes in zstd frames, within a skippable one of the blob. */
export interface PlacedBytes {
  readonly start: number;
  /** Of the frames. */
  readonly packed: number;
  /** Of what they inflate to. */
  readonly length: number;
}

/** The head of a skippable frame of `length` bytes, which must be below 4 GiB. */
export function skippableHead(length: number): Buffer {
  const head = Buffer.alloc(FRAME_HEAD);
  head.writeUInt32LE(MAGIC);
  head.writeUInt32LE(length, 4);
  return head;
}

/** The footer of a blob, in its frame. */
export function footerOf(toc: PlacedBytes, tarSplit: PlacedBytes | undefined): Buffer {
  const [{ length, word }] = FORMS;
  const footer = Buffer.alloc(length);
  const { start, packed, length: raw } = tarSplit ?? { start: 0, packed: 0, length: 0 };
  [toc.start, toc.packed, toc.length, TYPE, start, packed, raw].forEach((number, n) => {
    footer.writeBigUInt64LE(BigInt(number), 8 * n);
  });
  footer.write(word, length - word.length);
  return Buffer.concat([skippableHead(length), footer]);
}

/** What a manifest says of the TOC of a blob, as parsePosition reads it. */
export function positionOf({ start, packed, length }: PlacedBytes): string {
  return [start, packed, length, TYPE].join(':');
}

/** What a blob says of itself; undefined if it has no footer. Throws CRFS_BAD_LAYER for a place that it does not have. */
export async function readFooter(blob: BlobSource): Promise<TocPlace | undefined> {
  const length = Math.min(LONGEST, blob.size);
  const tail = Buffer.from(await blob.read(blob.size - length, length));
  for (const form of FORMS) {
    const frame = tail.subarray(-FRAME_HEAD - form.length);
    if (frame.length < FRAME_HEAD + form.length || !frame.toString('latin1').endsWith(form.word)) continue;
    if (frame.readUInt32LE() !== MAGIC || frame.readUInt32LE(4) !== form.length) continue;
    const [offset, packed, raw, type] = [0, 8, 16, 24].map((at) => Number(frame.readBigUInt64LE(FRAME_HEAD + at)));
    return checked(blob, [offset, packed, raw, type], blob.size - frame.length, 'the footer');
  }
  return undefined;
}

/** What a manifest says of a blob: `offset:length:length of the JSON:type`. Throws CRFS_BAD_LAYER. */
export function parsePosition(blob: BlobSource, position: string): TocPlace {
  const numbers = position.split(':');
  if (numbers.length !== 4 || !numbers.every((text) => /^\d{1,16}$/.test(text))) {
    throw new CrfsError('CRFS_BAD_LAYER', `${blob.name}: the manifest says of its TOC's position ${quote(position)}`);
  }
  return checked(blob, numbers.map(Number), blob.size, 'the manifest');
}

function checked(blob: BlobSource, numbers: readonly (number | undefined)[], limit: number, who: string): TocPlace {
  const [start = 0, packed = 0, length = 0, type] = numbers;
  const fault =
    type !== TYPE
      ? `says that its TOC is of type ${type}, not ${TYPE}`
      : start < FRAME_HEAD || packed === 0 || start + packed > limit
        ? `places the TOC at ${start}, ${packed} bytes long, outside of ${FRAME_HEAD} to ${limit}`
        : undefined;
  if (fault !== undefined) throw new CrfsError('CRFS_BAD_LAYER', `${blob.name}: ${who} ${fault}`);
  return { start, end: start + packed, length };
}

/** Where the layer's content ends: at the skippable frame that holds the TOC. */
export function contentEnd({ start }: TocPlace): number {
  return start - FRAME_HEAD;
}
