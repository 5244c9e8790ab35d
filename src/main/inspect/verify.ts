// SPDX-License-Identifier: GPL-3.0-or-later

/** Proves layers: everything that a manifest, an image's config, a TOC and the compressed stream say of them is held against their bytes. */

import { type FileHandle, open } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import pLimit from 'p-limit';
import { Piscina } from 'piscina';
import type { ChunksTask, FileProblem, WholeOutcome, WholeTask } from '../../workers/verify/verify-worker.js';
import type { BlobSource } from '../blob/source.js';
import { CrfsError } from '../errors/error.js';
import type { IndexReader } from '../index/reader.js';
import type { Progress, Step } from '../output/progress.js';
import { shortenDigests } from '../output/text.js';
import { tellingIfSlow } from '../output/waiting.js';
import { isPlain } from '../plain/plain.js';
import { fileSource } from '../sources/file.js';
import type { AnyLayerSource, FoundImage } from './found-image.js';
import { type InspectedLayer, readLayer } from './layer.js';
import type { Workspace } from './workspace.js';

/** What was found of one layer. */
export interface LayerReport {
  /** 1 is the base. */
  readonly number: number;
  readonly name: string;
  /** `sha256:…` each, of what was read; null where it did not come so far. */
  readonly digest: string | null;
  readonly diffId: string | null;
  readonly tocDigest: string | null;
  readonly kind: string | null;
  /** Regular files, and their bytes together. */
  readonly files: number;
  readonly contentSize: number;
  /** The TOC holds digests of all content. */
  readonly verifiable: boolean;
  /** Mounts of the image by its name go by an index of SOCI that is attached to it: no digest says what its files hold. */
  readonly uncheckedIndex: boolean;
  /** One line each; the layer is proven if there is none. */
  readonly problems: readonly string[];
}

/** Layers that are checked, and lie on the disk, at the same time. */
const LAYERS_AT_ONCE = 2;
const FETCH_BYTES = 8 << 20;
/** What one task checks, unless a single file is larger. */
const PART_BYTES = 16 << 20;
const PART_CHUNKS = 4096;

/** Checks every layer of an image, and tells `report` of each, in order. Throws what keeps it from checking any. */
export async function verifyImage(
  image: FoundImage,
  workspace: Workspace,
  progress: Progress,
  report: (layer: LayerReport) => void,
): Promise<void> {
  const pool = new Piscina({
    filename: new URL('../../workers/verify/verify-worker.js', import.meta.url).href,
    minThreads: 0,
    maxThreads: availableParallelism(),
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
  });
  try {
    const diffIds = await tellingIfSlow(`reading the config of ${image.resolved}`, image.diffIds(), progress.note);
    const reports: LayerReport[] = [];
    let next = 0;
    await pLimit(LAYERS_AT_ONCE).map(image.layers, async (layer, place) => {
      const check = new LayerCheck(layer, place + 1, { workspace, progress, pool });
      reports[place] = await check.run(diffIds[place]);
      for (let done = reports[next]; done !== undefined; done = reports[next]) {
        report(done);
        next++;
      }
    });
  } finally {
    await pool.destroy();
  }
}

/** What a check works with. */
interface Means {
  readonly workspace: Workspace;
  readonly progress: Progress;
  readonly pool: Piscina;
}

class LayerCheck {
  readonly #layer: AnyLayerSource;
  readonly #number: number;
  readonly #means: Means;
  readonly #problems: string[] = [];

  constructor(layer: AnyLayerSource, number: number, means: Means) {
    this.#layer = layer;
    this.#number = number;
    this.#means = means;
  }

  /** Checks all there is to check. `diffId` is what the config of the image says. */
  async run(diffId: string | undefined): Promise<LayerReport> {
    const { pool } = this.#means;
    const file = await this.#attempt(() => this.#fetch());
    if (file === undefined) return this.#report();
    try {
      const task: WholeTask = { fd: file.fd, size: (await file.stat()).size };
      const [whole, layer] = await Promise.all([
        pool.run(task, { name: 'whole' }) as Promise<WholeOutcome>,
        this.#attempt(() => this.#members(file)),
      ]);
      this.#compare('the digest of the blob', whole.digest, this.#layer.digest);
      if (whole.diffId === null) this.#problems.push(`the blob is no sound ${whole.form} stream`);
      else this.#compare('the diff ID', whole.diffId, diffId);
      return this.#report(whole, layer, await this.#uncheckedIndex(layer));
    } finally {
      await file.close();
    }
  }

  /** The blob as a local file. */
  async #fetch(): Promise<FileHandle> {
    const { workspace, progress } = this.#means;
    const { name, path } = this.#layer;
    const blob = await tellingIfSlow(`asking for ${shortenDigests(name)}`, this.#layer.open(), progress.note);
    try {
      if (path !== undefined) return await open(path);
      const step = progress.start(`${shortenDigests(name)}: fetching`, blob.size);
      const file = await copied(blob, await workspace.file(), step);
      step.done();
      return file;
    } finally {
      await blob.close();
    }
  }

  /** Holds the TOC against the manifest, and every file against the TOC. */
  async #members({ fd }: FileHandle): Promise<InspectedLayer> {
    const { workspace, progress, pool } = this.#means;
    const { indexed: _, ...proven } = this.#layer; // an index in its registry proves nothing
    const { name } = proven;
    const layer = await readLayer(proven, this.#number, fileSource(fd, name), workspace, () => undefined);
    const { index, indexFd, tocOffset } = layer;
    const step = progress.start(`${shortenDigests(name)}: checking`, index.contentSize);
    const found = await pLimit(pool.maxThreads * 2).map(partsOf(index), async ({ first, end, bytes }) => {
      const task: ChunksTask = { name, blobFd: fd, indexFd, tocOffset, first, end };
      const problems = (await pool.run(task, { name: 'chunks' })) as FileProblem[];
      step.advance(bytes);
      return problems;
    });
    step.done();
    for (const { path, message } of found.flat()) this.#problems.push(`${JSON.stringify(path)}: ${message}`);
    return layer;
  }

  /** What `work` resolves to; undefined if it rejects with a CrfsError, which is noted as a problem. */
  async #attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof CrfsError)) throw error;
      const { name } = this.#layer;
      const { message } = error;
      this.#problems.push(message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message);
      return undefined;
    }
  }

  #compare(what: string, found: string, wanted: string | undefined): void {
    if (wanted !== undefined && found !== wanted) this.#problems.push(`${what} is ${found}, not ${wanted}`);
  }

  async #uncheckedIndex(layer: InspectedLayer | undefined): Promise<boolean> {
    if (layer === undefined || !isPlain(layer.kind)) return false;
    return (await this.#layer.indexed?.find())?.form === 'soci';
  }

  #report(whole?: WholeOutcome, layer?: InspectedLayer, uncheckedIndex = false): LayerReport {
    return {
      number: this.#number,
      name: this.#layer.name,
      digest: whole?.digest ?? null,
      diffId: whole?.diffId ?? null,
      tocDigest: layer && !isPlain(layer.kind) ? `sha256:${layer.tocDigest}` : null,
      kind: layer?.kind ?? null,
      files: layer ? countFiles(layer.index) : 0,
      contentSize: layer?.index.contentSize ?? 0,
      verifiable: layer ? !layer.index.unverified : false,
      uncheckedIndex,
      problems: this.#problems,
    };
  }
}

/** A blob in a file, which is closed if that cannot be. */
async function copied(blob: BlobSource, file: FileHandle, step: Step): Promise<FileHandle> {
  try {
    for (let at = 0; at < blob.size; at += FETCH_BYTES) {
      const piece = await blob.read(at, Math.min(FETCH_BYTES, blob.size - at));
      await file.appendFile(piece);
      step.advance(piece.length);
    }
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

function countFiles(index: IndexReader): number {
  let files = 0;
  for (let inode = 0; inode < index.inodes; inode++) if (index.isFile(inode)) files++;
  return files;
}

/** The chunks of a layer in parts of whole files, each enough for a task. */
function* partsOf(index: IndexReader): Generator<{ first: number; end: number; bytes: number }> {
  let [first, bytes] = [0, 0];
  for (let chunk = 0; chunk < index.chunks; ) {
    const inode = index.chunkInode(chunk);
    chunk += index.chunkCount(inode);
    bytes += index.size(inode);
    if (bytes < PART_BYTES && chunk - first < PART_CHUNKS && chunk < index.chunks) continue;
    yield { first, end: chunk, bytes };
    [first, bytes] = [chunk, 0];
  }
}
