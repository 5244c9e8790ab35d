// SPDX-License-Identifier: GPL-3.0-or-later

import { tmpdir } from 'node:os';
import { mock } from 'node:test';
import test from 'ava';
import { fetchAttachedIndex } from '../../src/main/attached/fetch-index.js';
import type { AttachedIndex } from '../../src/main/attached/indexes.js';
import { unlessAborted } from '../../src/main/errors/unless-aborted.js';
import { Gate } from '../tools/gate.js';
import { until } from '../tools/machine.js';

interface Slow {
  readonly index: AttachedIndex;
  /** What comes next of it waits there. */
  readonly gate: Gate;
  readonly isClosed: () => boolean;
}

function slowly(size: number): Slow {
  const gate = new Gate();
  let closed = false;
  const source = {
    name: 'an index',
    size,
    read: async () => Buffer.alloc(0),
    async *stream(_offset: number, _length: number, signal = AbortSignal.abort()) {
      yield Buffer.alloc(1);
      await unlessAborted(() => gate.pass(), signal);
    },
    close: async () => {
      closed = true;
    },
  };
  const index = { form: 'portable', name: 'an index', digest: 'sha256:', size, open: async () => source } as const;
  return { index, gate, isClosed: () => closed };
}

test.serial('an index that comes too slowly for its size is done without', async (t) => {
  const over = new AbortController();
  const { mock: limits } = mock.method(AbortSignal, 'timeout', () => over.signal);
  t.teardown(() => limits.restore());
  const { index, gate, isClosed } = slowly(6_400_000);
  const fetching = fetchAttachedIndex(index, 1e9, tmpdir());
  await until('it has begun', () => gate.arrivals === 1);
  over.abort(new DOMException('over', 'TimeoutError'));
  await t.throwsAsync(fetching, { code: 'CRFS_UNREACHABLE', message: 'its registry takes too long to send it' });
  t.deepEqual(limits.calls[0]?.arguments, [110_000]);
  t.true(isClosed());
});

test.serial('a zTOC that is too large for its blob is not fetched', async (t) => {
  const blobSize = 50e9;
  const { index, gate } = slowly(300 << 20);
  const refused = fetchAttachedIndex({ ...index, form: 'soci' }, blobSize, tmpdir());
  await t.throwsAsync(refused, {
    code: 'CRFS_BAD_LAYER',
    message: `an index: ${300 << 20} bytes for a layer of ${blobSize}`,
  });
  t.is(gate.arrivals, 0);
});

test.serial('an index that nobody waits for any more is not fetched further', async (t) => {
  const { index, gate, isClosed } = slowly(1000);
  const wanted = new AbortController();
  const fetching = fetchAttachedIndex(index, 1e9, tmpdir(), wanted.signal);
  await until('it has begun', () => gate.arrivals === 1);
  wanted.abort(new Error('gone'));
  await t.throwsAsync(fetching, { message: 'gone' });
  t.true(isClosed());
});
