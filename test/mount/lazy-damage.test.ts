// SPDX-License-Identifier: GPL-3.0-or-later

/** A chunk that is wrong fails those who read it, and nobody else. */

import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { noise } from '../tools/content.js';
import { eachDriver, whyNoMounts } from '../tools/machine.js';
import { missing } from '../tools/registry.js';
import { draftsOf, MIB, remoteLayer } from '../tools/remote-layer.js';

const mounting = eachDriver(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

const CHUNKS = 6;
const WRONG = 2;

mounting('a chunk that is wrong in the blob is EIO, and all others of its file read, before and after', async (t) => {
  const files = { large: noise(CHUNKS * MIB), other: noise(2 * MIB, 2) };
  const layer = await remoteLayer(t, files, {
    edit: (blob, chunks) => {
      const place = (chunks('large')[WRONG]?.from ?? 0) + 20_000;
      blob.writeUInt8(blob.readUInt8(place) ^ 1, place);
    },
  });
  const { machine, mount } = layer;
  const file = await open(join(mount.merged, 'large'));
  t.teardown(() => file.close());
  const read = async (chunk: number): Promise<string> => {
    const bytes = Buffer.alloc(4096);
    const at = chunk * MIB + MIB / 2; // far from what is read ahead of it
    try {
      await file.read(bytes, 0, bytes.length, at);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? String(error);
    }
    return bytes.equals(files.large.subarray(at, at + bytes.length)) ? 'right' : 'wrong';
  };
  const expected = Array.from({ length: CHUNKS }, (_, chunk) => (chunk === WRONG ? 'EIO' : 'right'));
  let before = { failed: 0, errors: 0 };
  for (let round = 0; round < 2; round++) {
    const outcomes: string[] = [];
    for (let chunk = 0; chunk < CHUNKS; chunk++) outcomes.push(await read(chunk));
    t.deepEqual(outcomes, expected);
    t.deepEqual(
      draftsOf(layer, CHUNKS),
      [expected.map((outcome) => outcome === 'right')],
      'what is wrong is not marked as there',
    );
    const { counters, opens } = (await machine.status()) ?? {};
    const failed = (counters?.errors ?? 0) + (counters?.digestErrors ?? 0);
    const errors = opens?.errors ?? 0; // not as many: several reads may wait for one chunk
    t.true(failed > before.failed && errors > before.errors, 'it is tried, and told, each time');
    before = { failed, errors };
    t.is(counters?.objects, 0);
  }
  await t.throwsAsync(readFile(join(mount.merged, 'large')), { code: 'EIO' });
  t.true((await readFile(join(mount.merged, 'other'))).equals(files.other));
});
