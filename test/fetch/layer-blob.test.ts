// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { remoteBlob } from '../../src/main/fetch/layer-blob.js';
import { Traffic } from '../../src/main/fetch/traffic.js';

test('a blob that is said to be larger than any is refused before memory is taken for it', async (t) => {
  let closed = false;
  const source = {
    name: 'huge',
    size: 4e15,
    read: async () => Buffer.of(),
    stream: async function* () {
      yield Buffer.of();
    },
    close: async () => {
      closed = true;
    },
  };
  const layer = { name: 'huge', identity: 'huge', open: async () => source, openToc: async () => undefined };
  await t.throwsAsync(
    remoteBlob(layer, '/nowhere/blob', new Traffic(), () => undefined),
    {
      code: 'CRFS_BAD_LAYER',
      message: 'huge: 4000000000000000 bytes, more than a layer may have',
    },
  );
  t.true(closed);
});
