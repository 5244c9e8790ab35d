// SPDX-License-Identifier: GPL-3.0-or-later

import type { BlobSource } from '../blob/source.js';
import { PLAIN_CODECS } from './codec.js';
import type { Form } from './decode.js';
import type { Layer } from './format.js';
import { indexedKind, PLAIN_KINDS } from './kinds.js';
import { AS_IT_IS, type Places, Points } from './points.js';

export interface Indexed {
  /** What is the same of all layers of this form. */
  readonly layer: Omit<Layer, 'entries'>;
  /** The layer's, to be read out of the index; none come where the blob is not compressed. */
  readonly points: Points;
  readonly places: Places;
}

/** A layer in a blob without a TOC, of which another blob, whatever its format, holds the index. */
export function indexed({ name, size }: Pick<BlobSource, 'name' | 'size'>, form: Form): Indexed {
  const points = new Points();
  const places = form === 'none' ? AS_IT_IS : points;
  const layer = {
    name,
    kind: indexedKind(PLAIN_KINDS[form]),
    codec: PLAIN_CODECS[form],
    contentEnd: size,
    toc: undefined,
    ...(form === 'none' ? {} : { points }),
    endOf: (offset: number, decoded: number) => places.endOf(offset, decoded),
  };
  return { layer, points, places };
}
