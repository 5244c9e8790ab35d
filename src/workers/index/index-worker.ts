// SPDX-License-Identifier: GPL-3.0-or-later

import { createHash } from 'node:crypto';
import { createReadStream, rmSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { MessagePort } from 'node:worker_threads';
import { askedSource } from '../../main/blob/asked-source.js';
import type { BlobRecord } from '../../main/cache/records.js';
import { CrfsError, type ErrorCode } from '../../main/errors/error.js';
import { type IndexForm, layerByIndex } from '../../main/formats/by-index.js';
import { recognise } from '../../main/formats/recognise.js';
import { buildIndex, type IndexRequest } from '../../main/index/build.js';
import type { ContentSink } from '../../main/plain/content-sink.js';
import { FirstRead } from '../../main/plain/first-read.js';
import type { LazyName } from '../../main/plain/lazy-names.js';
import { plainFormats } from '../../main/plain/plain.js';
import { fileSource } from '../../main/sources/file.js';
import { type Keeping, PassedFiles } from './passed-files.js';

/** A blob to index. */
export interface IndexTask {
  /** Open on the blob; stays the caller's. */
  readonly fd: number;
  /** Open on the blob that holds its TOC, where that is kept elsewhere. */
  readonly tocFd?: number;
  readonly name: string;
  /** Where its TOC is, if the manifest says so. */
  readonly tocPosition?: string;
  readonly identity: string;
  /** Where to write the index. */
  readonly path: string;
  /** What becomes of it if it has no TOC, and the digest of the one that the manifest names, if any. */
  readonly lazy: LazyName;
  readonly tocDigest?: string;
  /** Where it is noted how far it was read, if it has none: `FirstRead`. */
  readonly read: SharedArrayBuffer;
  /** Where to keep what it holds, as far as that passes. */
  readonly keeping: Keeping;
  /** The setting `index-span`. */
  readonly span: number;
  /** Bytes that making it may take. */
  readonly memoryLimit: number;
  /** Where to ask for bytes of the blob before they are read, if it is not here yet. */
  readonly asks?: MessagePort;
}

/** A blob to index by what another machine has found in it. */
export interface PortableTask extends Pick<IndexTask, 'fd' | 'name' | 'identity' | 'path' | 'memoryLimit'> {
  /** Open on the index that was made there; stays the caller's. */
  readonly indexFd: number;
  readonly form: IndexForm;
}

/** An error crosses threads as its parts: a clone of it would lose its code. */
export type IndexOutcome =
  | { readonly record: BlobRecord }
  | { readonly error: { readonly code: ErrorCode; readonly message: string } };

/** Writes the index of a blob. */
export default async function index(task: IndexTask | PortableTask): Promise<IndexOutcome> {
  const { name, identity, path, memoryLimit } = task;
  const passed = 'keeping' in task ? new PassedFiles(task.keeping) : undefined;
  try {
    const from = 'indexFd' in task ? await byPortable(task) : await byToc(task, passed);
    const summary = await buildIndex({ ...from, path, memoryLimit, blobIdentity: identity });
    return { record: { ...summary, indexDigest: await digestOf(path) } };
  } catch (error) {
    rmSync(path, { force: true });
    if (error instanceof CrfsError) return { error: { code: error.code, message: error.message } };
    return { error: { code: 'CRFS_INTERNAL', message: `${name}: ${(error as Error).message}` } };
  } finally {
    passed?.close();
  }
}

type From = Pick<IndexRequest, 'layer' | 'tocBlob'>;

async function byToc(task: IndexTask, sink: ContentSink | undefined): Promise<From> {
  const { fd, tocFd, name, tocPosition, lazy, tocDigest, span, asks } = task;
  const stored = fileSource(fd, name);
  const blob = asks === undefined ? stored : askedSource(stored, asks);
  const passing = { read: new FirstRead(task.read), span, ...(sink && { sink }) };
  const layer = await recognise(blob, tocPosition, plainFormats(lazy, tocDigest, passing));
  return { layer, ...(tocFd === undefined ? {} : { tocBlob: fileSource(tocFd, name) }) };
}

async function byPortable({ fd, indexFd, form, name }: PortableTask): Promise<From> {
  return { layer: await layerByIndex(fileSource(fd, name), fileSource(indexFd, name), form) };
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}
