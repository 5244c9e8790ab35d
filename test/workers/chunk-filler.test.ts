// SPDX-License-Identifier: GPL-3.0-or-later

/** Large chunks are mapped or written, by what new pages cost: the content is the same. */

import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { recognise } from '../../src/main/formats/recognise.js';
import { buildIndex } from '../../src/main/index/build.js';
import { indexMemory } from '../../src/main/index/memory.js';
import { openFileSource } from '../../src/main/sources/file.js';
import { addon } from '../../src/native/addon.js';
import type { Decoder } from '../../src/workers/decode/decoder.js';
import { decoderOf } from '../../src/workers/decode/decoders.js';
import { MemberReader } from '../../src/workers/decode/member-reader.js';
import { ChunkFiller } from '../../src/workers/serve/chunk-filler.js';
import { draftLength } from '../../src/workers/serve/draft.js';
import { Filling } from '../../src/workers/serve/filling.js';
import { ServedLayer } from '../../src/workers/serve/served-layer.js';
import { Store } from '../../src/workers/serve/store.js';
import { sameBytes } from '../tools/bytes.js';
import { noise } from '../tools/content.js';
import { makeLayer } from '../tools/layers.js';
import { writeTar } from '../tools/tar-writer.js';

const MIB = 1 << 20;
const FILES = {
  chunked: noise(3 * MIB - 1, 1),
  tried: noise(400_000, 2),
  behind: noise(500_001, 3),
  small: noise(1000, 4),
};
const isMappingDear: typeof addon.isMappingDear = addon.isMappingDear.bind(addon);

function place(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'crfs-filler-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

async function layerIn(t: ExecutionContext, directory: string): Promise<ServedLayer> {
  const tar = join(directory, 'a.tar');
  writeTar(
    tar,
    Object.entries(FILES).map(([name, content]) => ({ name, content })),
  );
  const blob = openFileSource(await makeLayer(tar, { chunkSize: MIB }));
  t.teardown(() => blob.close());
  const path = join(directory, 'index');
  const { tocOffset } = await buildIndex({
    layer: await recognise(blob),
    path,
    memoryLimit: indexMemory(0),
    blobIdentity: 'blob',
  });
  const facts = { number: 1, name: 'a', tocOffset, isHere: true };
  const regions = new SharedArrayBuffer(8);
  return new ServedLayer({ ...facts, indexFd: openSync(path, 'r'), blobFd: openSync(blob.name, 'r'), regions });
}

function fillAll(filler: ChunkFiller, filling: Filling): void {
  for (let chunk = 0; chunk < filling.count; chunk++) filler.fill(filling, filling.first + chunk);
}

/** What a filler makes of each file, which finds new pages to be so. `tried`: how often it asked; `mapped`: chunks that it mapped. */
async function filled(
  t: ExecutionContext,
  dear: boolean | null,
): Promise<{ readonly contents: ReadonlyMap<string, Buffer>; readonly tried: number; readonly mapped: number }> {
  const directory = place(t);
  const layer = await layerIn(t, directory);
  let tried = 0;
  addon.isMappingDear = (...where) => {
    tried++;
    t.not(isMappingDear(...where), null);
    return dear;
  };
  t.teardown(() => Object.assign(addon, { isMappingDear }));
  const store = new Store({ objects: directory, drafts: directory, tmp: directory }, 0);
  let mapped = 0;
  const decoder = (codec: number): Decoder => {
    const own = decoderOf(codec, 'libdeflate');
    const decodeFile: NonNullable<Decoder['decodeFile']> = (...what) => {
      mapped++;
      return own.decodeFile?.(...what) ?? 0;
    };
    return { begin: (restart) => own.begin(restart), decode: (...what) => own.decode(...what), decodeFile };
  };
  const members = new MemberReader(decoder, () => undefined);
  const filler = new ChunkFiller(store, members);
  const contents = Object.keys(FILES).map((name): [string, Buffer] => {
    const inode = layer.index.find(name);
    const count = layer.index.chunkCount(inode);
    const filling = new Filling(0, layer, { layer: 1, inode, first: 0, count });
    filling.fd = openSync(join(directory, `${name}.filled`), 'w+');
    if (count > 1) ftruncateSync(filling.fd, draftLength(filling.size, count));
    fillAll(filler, filling);
    closeSync(filling.fd);
    return [name, readFileSync(join(directory, `${name}.filled`)).subarray(0, filling.size)];
  });
  return { contents: new Map(contents), tried, mapped };
}

for (const [dear, what, tries, maps] of [
  [true, 'written where mapping them is dear', 1, 3],
  [false, 'mapped where that is not', 1, 5],
  [null, 'mapped where that cannot be told', 2, 5],
] as const) {
  test.serial(`large chunks are ${what}, but for the first ones`, async (t) => {
    const { contents, tried, mapped } = await filled(t, dear);
    for (const [name, content] of Object.entries(FILES)) sameBytes(t, contents.get(name) ?? Buffer.of(), content);
    t.deepEqual([tried, mapped], [tries, maps]);
  });
}

test('what new pages cost is tried within a file alone', (t) => {
  const path = join(place(t), 'file');
  const fd = openSync(path, 'w+');
  t.teardown(() => closeSync(fd));
  t.is(isMappingDear(fd, 0), null, 'there is nothing to be mapped');
  ftruncateSync(fd, 0);
  ftruncateSync(fd, addon.newPagesTried);
  t.is(typeof isMappingDear(fd, 0), 'boolean');
  sameBytes(t, readFileSync(path), Buffer.alloc(addon.newPagesTried));
});
