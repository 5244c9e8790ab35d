// SPDX-License-Identifier: GPL-3.0-or-later

import { CrfsError } from '../errors/error.js';
import type { Answer, StoredQuestion } from './message.js';
import type { OpenLayer } from './open-layers.js';
import type { Stored } from './resolved.js';

/** Blobs are read from end to end: so much is brought in ahead. */
const AHEAD = 16 << 20;
/** Beside the numbers that the readers of files have. */
const READER = -1;

/** The answer to what a store asks of a layer, and the descriptors that go with it. */
export async function answerStored(
  question: StoredQuestion,
  stored: Stored,
  layer: OpenLayer,
): Promise<[answer: Answer, fds: number[]]> {
  if (question.kind === 'describe') {
    return [{ kind: 'described', size: stored.size, text: stored.describe(layer.record.contentSize) }, []];
  }
  if (question.kind === 'refer') {
    return [{ kind: 'referred', uses: await stored.refer(question.text, layer, question.less ? -1 : 1) }, []];
  }
  await bring(layer, question);
  return [{ kind: 'fetched' }, [layer.blob.fd]];
}

async function bring({ name, blob }: OpenLayer, { offset, size }: { offset: number; size: number }): Promise<void> {
  const end = offset + size;
  if (end > blob.size) throw new CrfsError('CRFS_USAGE', `${name}: has ${blob.size} bytes, not ${end}`);
  blob.remote?.fetcher.ahead(READER, end, Math.min(end + AHEAD, blob.size));
  await blob.remote?.fetcher.need(offset, end);
}
