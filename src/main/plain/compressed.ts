// SPDX-License-Identifier: GPL-3.0-or-later

/** A tar in gzip or zstd as it comes, of any number of members or frames: all of it is read once, and what is found is its TOC. */

import { createHash } from 'node:crypto';
import type { StreamForm } from '../../native/addon.js';
import type { BlobSource } from '../blob/source.js';
import { PLAIN_CODECS } from '../formats/codec.js';
import { formOf } from '../formats/decode.js';
import type { Layer, LayerFormat } from '../formats/format.js';
import { PLAIN_KINDS } from '../formats/kinds.js';
import { Points } from '../formats/points.js';
import { type ContentSink, NO_SINK } from './content-sink.js';
import { readTar } from './entries.js';
import { FirstRead } from './first-read.js';
import { unpacked } from './unpack.js';

/** How a layer is read as a whole. */
export interface Passing {
  /** Is told how far it was read, and says whether it is still wanted. */
  readonly read?: FirstRead;
  /** Is told what files hold. */
  readonly sink?: ContentSink;
  /** Bytes of output between restart points. */
  readonly span?: number;
}

/** Files of gzip of up to so many bytes are kept as they pass: to decode one later takes longer than to read it. */
const KEPT_FILE = 64 << 10;

/** A format whose layers hand what files hold to `sink` as they are read, as long as `read` says that they are wanted; with points `span` bytes of output apart. */
export function compressed({ sink, read, span }: Required<Passing>): LayerFormat {
  return {
    async recognise(blob): Promise<Layer | undefined> {
      const form = formOf(await blob.read(0, Math.min(4, blob.size)));
      return form === 'none' ? undefined : layerIn(blob, form, span, { sink, read });
    },
  };
}

/** The layer in a blob, with points so many bytes of output apart. */
export function layerIn(
  blob: BlobSource,
  form: StreamForm,
  span: number,
  { sink = NO_SINK, read = new FirstRead() }: Omit<Passing, 'span'> = {},
): Layer {
  const points = new Points();
  // a frame of zstd is decoded from its start, and most layers are a single one
  const kept = form === 'gzip' ? upTo(KEPT_FILE, sink) : sink;
  return {
    name: blob.name,
    kind: PLAIN_KINDS[form],
    codec: PLAIN_CODECS[form],
    contentEnd: blob.size,
    toc: { start: 0, end: blob.size },
    isStreamed: true,
    endOf: (offset, decoded) => points.endOf(offset, decoded),
    points,
    entries: async (add) => {
      const hash = createHash('sha256');
      const tar = unpacked(blob, { form, points, span, hash, read });
      await readTar(tar, points, { add, sink: kept });
      return hash.digest();
    },
  };
}

/** Hands on files of up to so many bytes. */
function upTo(most: number, sink: ContentSink): ContentSink {
  return {
    begin: (size) => size <= most && sink.begin(size),
    write: (bytes, fileOffset) => sink.write(bytes, fileOffset),
    end: (parts) => sink.end(parts),
  };
}
