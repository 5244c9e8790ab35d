// SPDX-License-Identifier: GPL-3.0-or-later

/** Workers that read bytes of a remote blob just before another worker has them fetched again. */

import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { BLOCK, Blocks } from '../../src/main/fetch/blocks.js';
import { recognise } from '../../src/main/formats/recognise.js';
import { buildIndex } from '../../src/main/index/build.js';
import { openFileSource } from '../../src/main/sources/file.js';
import { Board } from '../../src/workers/board/board.js';
import { libdeflate } from '../../src/workers/decode/libdeflate.js';
import { MemberReader } from '../../src/workers/decode/member-reader.js';
import type { Report } from '../../src/workers/messages.js';
import { Filler } from '../../src/workers/serve/filler.js';
import type { ServedLayer } from '../../src/workers/serve/served-layer.js';
import { ServedLayers } from '../../src/workers/serve/served-layers.js';
import { Store } from '../../src/workers/serve/store.js';
import { sameBytes } from '../tools/bytes.js';
import { makeLayer } from '../tools/layers.js';
import { run } from '../tools/run.js';

interface World {
  readonly filler: Filler;
  readonly layer: ServedLayer;
  readonly blocks: Blocks;
  readonly reports: Report[];
  /** The bytes that a worker has inflated are wrong, as often as this says. */
  wrong: number;
  /** Happens once the next bytes have been read, and before they are held against their digest. */
  meanwhile: () => void;
  fill(path: string): void;
  content(path: string): Buffer;
}

/** One worker, and a remote layer of which all is there. */
async function world(t: ExecutionContext, files: Readonly<Record<string, Buffer>>): Promise<World> {
  const root = mkdtempSync(join(tmpdir(), 'crfs-refetch-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const at = (name: string): string => join(root, name);
  for (const directory of ['tree', 'objects', 'drafts', 'tmp']) mkdirSync(at(directory));
  for (const [name, content] of Object.entries(files)) writeFileSync(at(`tree/${name}`), content);
  await run('tar', ['-C', at('tree'), '--sort=name', '-cf', at('layer.tar'), '.']);
  const path = await makeLayer(at('layer.tar'), { chunkSize: 20_000, minChunkSize: 15_000 });
  const source = openFileSource(path);
  const request = { layer: await recognise(source), path: at('index'), memoryLimit: 2 ** 30, blobIdentity: 'blob' };
  const { tocOffset } = await buildIndex(request);
  await source.close();

  const blocks = Blocks.of(statSync(path).size);
  for (let block = 0; block < blocks.count; block++) blocks.add(block);
  const { port1, port2 } = new MessageChannel();
  t.teardown(() => port1.close());
  const layers = new ServedLayers(port2);
  const [indexFd, blobFd] = [openSync(at('index'), 'r'), openSync(path, 'r')];
  const regions = new SharedArrayBuffer(64);
  port1.postMessage({ add: { number: 1, name: 'layer', indexFd, blobFd, tocOffset, blocks: blocks.shared, regions } });
  const layer = layers.get(1);
  if (layer === undefined) throw new Error('the worker does not know the layer');
  const reports: Report[] = [];
  const decoder = {
    begin: () => libdeflate.begin(),
    decode: (input: Uint8Array, output: Uint8Array): number => {
      const length = libdeflate.decode(input, output);
      if (made.wrong-- > 0) output.fill(0xee, 0, length);
      const happens = made.meanwhile;
      made.meanwhile = () => undefined;
      happens();
      return length;
    },
  };
  const store = new Store({ objects: at('objects'), drafts: at('drafts'), tmp: at('tmp') }, 0);
  const members = new MemberReader(
    () => decoder,
    () => undefined,
  );
  const filler = new Filler({
    worker: 0,
    workers: 1,
    board: new Board(1),
    layers,
    store,
    members,
    report: (report) => reports.push(report),
  });
  const inode = (name: string): number => layer.index.find(name);
  const made: World = {
    filler,
    layer,
    blocks,
    reports,
    wrong: 0,
    meanwhile: () => undefined,
    fill: (name) => {
      const count = layer.index.chunkCount(inode(name));
      filler.fill(layer, { layer: 1, inode: inode(name), first: 0, count });
    },
    content: (name) => {
      const key = layer.index.objectName(inode(name));
      return readFileSync(join(root, 'objects', key.slice(0, 2), key));
    },
  };
  return made;
}

/** What another worker, and the main thread, do about bytes that are wrong. */
function refetch(blocks: Blocks): void {
  blocks.doubt(0, blocks.count * BLOCK);
  for (let block = 0; block < blocks.count; block++) blocks.add(block);
}

const kinds = (reports: readonly Report[]): string[] => reports.map((report) => Object.keys(report)[0] ?? '');

for (const [what, size, wrong] of [
  ['a file of one chunk', 10_000, 1],
  ['a file of several chunks', 70_000, 1],
] as const) {
  test(`${what} that was read before it was fetched again is asked for once more, and is right then`, async (t) => {
    const content = randomBytes(size);
    const w = await world(t, { file: content });
    w.wrong = wrong;
    w.meanwhile = () => refetch(w.blocks);
    w.fill('file');
    t.deepEqual(kinds(w.reports), ['doubt']);
    w.fill('file');
    sameBytes(t, w.content('file'), content);
    t.deepEqual(kinds(w.reports), ['doubt']);
  });

  test(`${what} that is wrong also when it was fetched again fails at once, and is read anew by the next request`, async (t) => {
    const content = randomBytes(size);
    const w = await world(t, { file: content });
    w.wrong = 100;
    w.fill('file');
    t.deepEqual(kinds(w.reports), ['doubt']);
    refetch(w.blocks);
    w.fill('file');
    t.deepEqual(kinds(w.reports), ['doubt', 'fault']);
    w.wrong = 0;
    w.fill('file');
    sameBytes(t, w.content('file'), content);
  });
}

test('a member that a worker keeps is read again where it was fetched again', async (t) => {
  const [one, two] = [randomBytes(2000), randomBytes(2000)];
  const w = await world(t, { one, two });
  const { index } = w.layer;
  t.is(index.chunkOffset(index.chunkFirst(index.find('one'))), index.chunkOffset(index.chunkFirst(index.find('two'))));
  w.fill('one');
  t.deepEqual(w.content('one'), one);
  const read: number[] = [];
  refetch(w.blocks);
  w.meanwhile = () => read.push(1);
  w.fill('two');
  t.deepEqual(w.content('two'), two);
  t.deepEqual(read, [1]);
});
