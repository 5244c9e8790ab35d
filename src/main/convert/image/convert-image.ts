// SPDX-License-Identifier: GPL-3.0-or-later

/** Converts an image: its layers, several at once, then what names them, from the bottom up. */

import pLimit from 'p-limit';
import { digestOf, readBlob, verified } from '../../blob/digest.js';
import type { BlobSink } from '../../blob/sink.js';
import { decompress } from '../../compression/decompress.js';
import { CrfsError } from '../../errors/error.js';
import { namingBlob } from '../../formats/fault.js';
import type { ImageDestination, ImageSource } from '../../images/types.js';
import { writeBlob } from '../../images/write-blob.js';
import type { Progress } from '../../output/progress.js';
import { formatBytes } from '../../output/text.js';
import { tellingIfSlow } from '../../output/waiting.js';
import { CONFIG_LIMIT } from '../../registry/image.js';
import { isIndex, MANIFEST_LIMIT } from '../../registry/manifest.js';
import { choosePlatform, formatPlatform, machinePlatform, platformWarning } from '../../registry/platform.js';
import type { Descriptor, ImageIndex, ImageManifest, Platform } from '../../registry/types.js';
import { convertLayer, type LayerOptions } from '../layer.js';
import { unmatchedWarnings } from '../patterns.js';
import { watched } from '../watch.js';
import { type Earlier, madeBefore, madeFrom, noteMadeFrom } from './made-from.js';
import {
  type Family,
  familyOf,
  layerDescriptor,
  type NewLayer,
  OCI,
  OCI_ZSTD,
  passedDescriptor,
  type Rewritten,
  requireLayer,
  rewriteConfig,
  rewriteIndex,
  rewriteManifest,
  statedSize,
} from './rewrite.js';
import { tocDigestOfEstargz } from './toc-digest.js';

export interface ImageOptions extends Omit<LayerOptions, 'name'> {
  /** Of an index, which image; the machine's if left out. `all` keeps the index. */
  readonly platform?: Platform | 'all';
  readonly progress: Progress;
  /** Told of what a person has to know even where no progress is shown. */
  readonly warn: (line: string) => void;
  readonly signal: AbortSignal;
  /** Left out: nothing is looked for that was made before, and nothing is noted for later. */
  readonly earlier?: Earlier;
}

export interface ImageResult {
  /** Of the manifest or index that was published. */
  readonly digest: string;
  /** Those that were written, or passed through. */
  readonly layers: readonly { readonly source: string; readonly digest: string; readonly size: number }[];
  /** The destination was made from the very same before: nothing was done. */
  readonly isThere: boolean;
  /** What a person should know of the result. */
  readonly warnings: readonly string[];
}

/** Layers that are converted at the same time. */
const LAYERS_AT_ONCE = 3;

/** Converts what `source` stands for to `destination`. Rejects with CrfsErrors, and nothing is published then. */
export async function convertImage(
  source: ImageSource,
  destination: ImageDestination,
  options: ImageOptions,
): Promise<ImageResult> {
  const failing = new AbortController();
  const signal = AbortSignal.any([options.signal, failing.signal]);
  const conversion = new Conversion(source, destination, { ...options, signal });
  try {
    return await conversion.run();
  } catch (error) {
    failing.abort(error);
    await conversion.settle();
    throw error;
  }
}

class Conversion {
  readonly #source: ImageSource;
  readonly #destination: ImageDestination;
  readonly #options: ImageOptions;
  readonly #inTurn = pLimit(LAYERS_AT_ONCE);
  /** By the digest of the source's layer: images of one index share layers. */
  readonly #layers = new Map<string, Promise<NewLayer>>();
  readonly #warnings: string[] = [];
  /** Prioritized paths that no layer has had so far. */
  #unmatched: readonly string[] | undefined;

  constructor(source: ImageSource, destination: ImageDestination, options: ImageOptions) {
    this.#source = source;
    this.#destination = destination;
    this.#options = options;
  }

  async run(): Promise<ImageResult> {
    const { note } = this.#options.progress;
    const top = await tellingIfSlow(`looking for ${this.#source.name}`, this.#chosen(), note);
    if (isIndex(top) && this.#destination.oneImage) {
      const { name } = this.#destination;
      throw new CrfsError('CRFS_USAGE', `${name} cannot hold images of several platforms: choose one, or another form`);
    }
    const { earlier } = this.#options;
    const made = earlier && madeFrom(top.digest, earlier);
    const there = earlier && made && (await madeBefore(earlier, made));
    if (there !== undefined) return { digest: there, layers: [], isThere: true, warnings: [] };
    const { mediaType, bytes: written } = isIndex(top) ? await this.#index(top) : await this.#image(top);
    const bytes = made === undefined || digestOf(written) === top.digest ? written : noteMadeFrom(written, made);
    this.#options.signal.throwIfAborted();
    await tellingIfSlow(`publishing ${this.#destination.name}`, this.#destination.publish(mediaType, bytes), note);
    for (const warning of unmatchedWarnings(this.#unmatched ?? [])) this.#warn(warning);
    const layers = [...this.#layers].map(async ([from, layer]) => {
      const { digest, size } = (await layer).descriptor;
      return { source: from, digest, size };
    });
    return { digest: digestOf(bytes), layers: await Promise.all(layers), isThere: false, warnings: this.#warnings };
  }

  /** Waits for what is still under way. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#layers.values());
  }

  /** The result has it too, for who is shown no progress. */
  #warn(line: string): void {
    this.#warnings.push(line);
    this.#options.progress.note(line);
  }

  async #chosen(): Promise<ImageManifest | ImageIndex> {
    const { platform = machinePlatform() } = this.#options;
    const top = await this.#source.top();
    return platform === 'all' ? top : await this.#imageFor(platform, top);
  }

  async #imageFor(platform: Platform, found: ImageManifest | ImageIndex): Promise<ImageManifest> {
    if (!isIndex(found)) return found;
    const { digest } = choosePlatform(found, platform, this.#source.name);
    return await this.#imageFor(platform, await this.#source.manifest(digest));
  }

  async #index(index: ImageIndex): Promise<Rewritten> {
    const converted = new Map<string, Rewritten>();
    for (const { digest, platform } of index.manifests) {
      if (platform?.os === 'unknown') {
        this.#warn(`${digest} is left out: it is about an image, and not about the converted one`);
        continue;
      }
      const manifest = await this.#source.manifest(digest);
      if (platform) this.#options.progress.note(`${formatPlatform(platform)}: ${digest}`);
      const rewritten = isIndex(manifest) ? await this.#index(manifest) : await this.#image(manifest);
      await this.#destination.putManifest(rewritten.mediaType, rewritten.bytes);
      converted.set(digest, rewritten);
    }
    const to = this.#family(index);
    return { mediaType: to.index, bytes: rewriteIndex(index, converted, to) };
  }

  async #image(manifest: ImageManifest): Promise<Rewritten> {
    const { name } = this.#source;
    const to = this.#family(manifest);
    for (const layer of manifest.layers) requireLayer(layer, name);
    const reading = this.#config(manifest);
    const config = await tellingIfSlow(`reading the config of ${name}`, reading, this.#options.progress.note);
    this.#warnOfPlatform(config);
    const layers = await Promise.all(
      manifest.layers.map(async (layer) => ofFamily(await this.#layer(layer, to), to)), // which another may have met first
    );
    const rewritten = layers.some(({ diffId }) => diffId !== undefined) ? rewriteConfig(config, layers, name) : config;
    await this.#putSmall(rewritten);
    const bytes = rewriteManifest(manifest, rewritten, layers, to);
    if (bytes.length > MANIFEST_LIMIT) throw new CrfsError('CRFS_BAD_LAYER', `${name}: its manifest grows too large`);
    return { mediaType: to.manifest, bytes };
  }

  async #config({ config }: ImageManifest): Promise<Uint8Array> {
    return await readBlob(await this.#source.openBlob(config), config, CONFIG_LIMIT, this.#options.signal);
  }

  #warnOfPlatform(config: Uint8Array): void {
    const { platform } = this.#options;
    if (platform === undefined || platform === 'all') return;
    const warning = platformWarning(this.#source.name, platform, config);
    if (warning !== undefined) this.#options.warn(warning);
  }

  #family(manifest: ImageManifest | ImageIndex): Family {
    if (this.#options.format === 'zstd:chunked') return OCI_ZSTD;
    return this.#destination.ociOnly ? OCI : familyOf(manifest);
  }

  #layer(layer: Descriptor, to: Family): Promise<NewLayer> {
    const known = this.#layers.get(layer.digest);
    if (known) return known;
    const converted = this.#inTurn(() => this.#convert(layer, to));
    this.#layers.set(layer.digest, converted);
    return converted;
  }

  async #convert(layer: Descriptor, to: Family): Promise<NewLayer> {
    const { format = 'estargz', prioritize, startOrder, progress, signal } = this.#options;
    signal.throwIfAborted();
    const source = await this.#source.openBlob(layer);
    const shown = layer.digest.slice(0, 19);
    const step = progress.start(`${shown}: converting`, layer.size);
    const input = (): AsyncIterable<Uint8Array> =>
      watched(verified(source, layer, signal), signal, (bytes) => step.advance(bytes));
    try {
      const toc = prioritize || startOrder || format !== 'estargz' ? undefined : await tocDigestOfEstargz(source);
      if (toc !== undefined) {
        const there = await this.#destination.hasBlob(layer.digest, this.#source);
        const size = await namingBlob(source.name, () => this.#copy(layer, input, there));
        step.done(`${shown}: ${there ? 'there already' : 'is eStargz, copied'}`);
        return { descriptor: passedDescriptor(layer, toc, size), diffId: undefined };
      }
      const options = { ...this.#options, name: source.name, isWhole: true }; // its digest shows that
      const result = await this.#writeBlob(async (sink) => await convertLayer(input(), sink, options));
      step.done(`${shown}: ${formatBytes(result.size)}, ${result.entries} entries`);
      const unmatched = this.#unmatched?.filter((pattern) => result.unmatched.includes(pattern));
      this.#unmatched = unmatched ?? result.unmatched;
      for (const warning of result.warnings) this.#warn(`${layer.digest}: ${warning}`);
      return { descriptor: layerDescriptor(layer, result, to), diffId: result.diffId };
    } finally {
      await source.close();
    }
  }

  /** Copies a layer as it is, unless it is there. Resolves to the bytes that it inflates to, counted where its descriptor does not tell. */
  async #copy(layer: Descriptor, input: () => AsyncIterable<Uint8Array>, there: boolean): Promise<number> {
    const stated = statedSize(layer);
    const copyTo = async (sink?: BlobSink): Promise<{ digest: string; size: number }> => {
      const pieces = sink ? teed(input(), sink) : input();
      let size = 0;
      for await (const piece of stated === undefined ? decompress(pieces) : pieces) size += piece.length;
      return { digest: layer.digest, size: stated ?? size };
    };
    if (!there) return (await this.#writeBlob(copyTo)).size;
    return stated ?? (await copyTo()).size;
  }

  async #putSmall(bytes: Uint8Array): Promise<void> {
    const digest = digestOf(bytes);
    if (await this.#destination.hasBlob(digest, this.#source)) return;
    await this.#writeBlob(async (sink) => {
      await sink.write(bytes);
      return { digest };
    });
  }

  async #writeBlob<T extends { readonly digest: string }>(work: (sink: BlobSink) => Promise<T>): Promise<T> {
    return await writeBlob(() => this.#destination.beginBlob(), work);
  }
}

/** The same layer with the media type of a family; one that is passed through keeps its own. */
function ofFamily({ descriptor, diffId }: NewLayer, { layer }: Family): NewLayer {
  return { descriptor: diffId === undefined ? descriptor : { ...descriptor, mediaType: layer }, diffId };
}

/** Passes an input on, and writes it to `sink`. */
async function* teed(input: AsyncIterable<Uint8Array>, sink: BlobSink): AsyncGenerator<Uint8Array> {
  for await (const piece of input) {
    await sink.write(piece);
    yield piece;
  }
}
