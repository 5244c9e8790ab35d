// SPDX-License-Identifier: GPL-3.0-or-later

/** Layers that are read while they come. */

import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { BlobRecord } from '../../src/main/cache/records.js';
import { Indexer } from '../../src/main/daemon/indexer.js';
import { CacheLayout } from '../../src/main/disk/cache-layout.js';
import { CrfsError } from '../../src/main/errors/error.js';
import type { ComingBlob } from '../../src/main/fetch/layer-blob.js';
import { portableIndex } from '../../src/main/index/portable.js';
import { IndexReader } from '../../src/main/index/reader.js';
import { FirstRead } from '../../src/main/plain/first-read.js';
import { USUAL_SPAN } from '../../src/main/plain/span.js';
import { Board } from '../../src/workers/board/board.js';
import { gzip, zstd } from '../tools/compressed-stream.js';
import { noise, text } from '../tools/content.js';
import { Gate } from '../tools/gate.js';
import { until } from '../tools/machine.js';
import { joined, partsOf } from '../tools/portable-parts.js';
import { sha256 } from '../tools/read-layer.js';
import { writeTar } from '../tools/tar-writer.js';

const HEAD = 64 << 10;

interface Setting {
  readonly layout: CacheLayout;
  readonly indexer: Indexer;
  readonly blob: Buffer;
  /** Open on the file. */
  readonly fd: number;
  readonly read: FirstRead;
  /** Puts these bytes of the blob into the file. */
  readonly store: (offset: number, end: number) => void;
  readonly index: (coming?: ComingBlob, signal?: AbortSignal) => Promise<BlobRecord>;
}

/** A layer of some MiB, or another one, of which the head alone is here. */
function setting(t: ExecutionContext, other?: Buffer, span = USUAL_SPAN): Setting {
  const directory = mkdtempSync(join(tmpdir(), 'crfs-indexer-'));
  const layout = new CacheLayout(directory);
  for (const path of layout.directories) mkdirSync(path, { recursive: true });
  const tar = join(directory, 'a.tar');
  writeTar(tar, [
    { name: 'a', content: noise(3 << 20) },
    { name: 'b', content: text(1 << 20) },
  ]);
  const blob = other ?? gzip(readFileSync(tar));
  const path = join(directory, 'blob');
  writeFileSync(path, blob.subarray(0, HEAD));
  truncateSync(path, blob.length);
  const fd = openSync(path, 'r+');
  const indexer = new Indexer(layout, { 'index-memory': 0, 'index-span': span });
  t.teardown(async () => {
    await indexer.close();
    closeSync(fd);
    rmSync(directory, { recursive: true });
  });
  const keeping = { board: new Board(1).buffer, workers: 1, limit: { bytes: 0, files: 0 } };
  const read = new FirstRead();
  const task = { fd, name: 'a layer', identity: 'blob', lazy: 'index', read: read.shared } as const;
  return {
    layout,
    indexer,
    blob,
    fd,
    read,
    store: (offset, end) => {
      writeSync(fd, blob, offset, end - offset, offset);
    },
    index: (coming, signal = new AbortController().signal) => indexer.index(task, () => 1, { keeping, coming, signal }),
  };
}

test('a plain layer is read as it comes, each byte once that is there', async (t) => {
  const { blob, store, index } = setting(t);
  const asked: number[] = [];
  const record = await index({
    stream: async () => undefined,
    bring: async (offset, end) => {
      asked.push(offset);
      await new Promise(setImmediate);
      store(offset, end);
    },
  });
  t.is(`sha256:${record.tocDigest}`, sha256(blob));
  t.is(record.files, 2);
  t.true(asked.length > 3, 'it did not wait for all of it');
});

test('restart points are as far apart as is set', async (t) => {
  const counts = [64 << 10, 1 << 20].map(async (span) => {
    const { layout, blob, store, index } = setting(t, undefined, span);
    store(0, blob.length);
    const { key } = await index();
    return [...new IndexReader(new Uint8Array(readFileSync(layout.index(key)))).points()].length;
  });
  const [often = 0, seldom = 0] = await Promise.all(counts);
  t.true(often > 40 && seldom <= 4, `${often}, ${seldom}`);
});

test('an index of another machine is taken, read natively or not', async (t) => {
  const { layout, blob, store, index, indexer, fd } = setting(t);
  store(0, blob.length);
  const own = new IndexReader(new Uint8Array(readFileSync(layout.index((await index()).key))));
  const portable = await portableIndex(own, blob.length);
  const parts = partsOf(portable);
  const odd = joined({ ...parts, toc: parts.toc.replace('"name":"a"', '"name":"a","chunkType":""') });
  for (const bytes of [portable, odd]) {
    const path = join(layout.tmp, 'portable');
    writeFileSync(path, bytes);
    const indexFd = openSync(path, 'r');
    const task = { fd, name: 'a layer', identity: 'blob', indexFd, form: 'portable' } as const;
    const record = await indexer.indexPortable(task, () => 1).finally(() => closeSync(indexFd));
    t.is(`sha256:${record.tocDigest}`, sha256(bytes));
    t.is(record.indexDigest, sha256(readFileSync(layout.index(record.key))).slice('sha256:'.length));
  }
});

test('what keeps a layer from coming is what its reader is told', async (t) => {
  const { index } = setting(t);
  const stopped = new Gate();
  const reading = index({
    stream: (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(stopped.open()))),
    bring: async (offset) => {
      if (offset > 0) throw new CrfsError('CRFS_DENIED', 'the blob cannot be read');
    },
  });
  await t.throwsAsync(reading, { code: 'CRFS_DENIED', message: 'the blob cannot be read' });
  await stopped.pass();
});

test('a layer that nobody waits for any more is not waited for', async (t) => {
  const { index } = setting(t);
  const held = new Gate();
  const nobody = new AbortController();
  const reading = index({ stream: () => held.pass(), bring: () => held.pass() }, nobody.signal);
  const failing = t.throwsAsync(reading, { message: 'nobody waits' });
  await until('it waits for the blob', () => held.arrivals > 1);
  nobody.abort(new Error('nobody waits'));
  held.open(); // what streams ends in its own time
  await failing;
});

test('little that decodes to very much is decoded no longer than somebody waits for it, or the daemon goes on', async (t) => {
  const zeros = zstd(Buffer.alloc(256 << 20));
  const blob = Buffer.concat(Array<Buffer>(100).fill(zeros));
  for (const [message, end] of [
    ['nobody waits', async (_indexer: Indexer, nobody: AbortController) => nobody.abort(new Error('nobody waits'))],
    ['the daemon ends', async (indexer: Indexer) => indexer.close()],
  ] as const) {
    const { indexer, read, store, index } = setting(t, blob);
    store(0, blob.length);
    const nobody = new AbortController();
    const failing = t.throwsAsync(index(undefined, nobody.signal), { message });
    await until('it is read', () => read.hasBegun);
    await end(indexer, nobody);
    await failing;
  }
});

test('a daemon that ends waits for no layer to come', async (t) => {
  const { indexer, index } = setting(t);
  const held = new Gate();
  const reading = index({ stream: () => held.pass(), bring: () => held.pass() });
  const failing = t.throwsAsync(reading, { message: 'the daemon ends' });
  await until('it waits for the blob', () => held.arrivals > 1);
  await indexer.close();
  await failing;
});

test('what is here waits for no layers that do not come', async (t) => {
  const { blob, store, index, indexer } = setting(t);
  const held = new Gate();
  const reading = [1, 2, 3].map(() => index({ stream: () => held.pass(), bring: () => held.pass() }));
  const failing = Promise.allSettled(reading);
  await until('two are waited for', () => held.arrivals >= 4);
  store(0, blob.length);
  const { files } = await index();
  t.is(files, 2);
  await indexer.close();
  await failing;
});
