// SPDX-License-Identifier: GPL-3.0-or-later

/** A layer in a registry behind the fault proxy, of which a test decides byte by byte what may pass; and its mount. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { BLOCK } from '../../src/main/fetch/blocks.js';
import { registryBehindProxy } from './behind-proxy.js';
import { bytesBefore, type Fault, type FaultProxy, type Seen } from './fault-proxy.js';
import type { Gate } from './gate.js';
import { imageOf } from './image.js';
import { Machine, type Mount, type MountOptions } from './machine.js';
import { type Layer, readLayer } from './read-layer.js';
import type { Registry } from './registry.js';
import { blobOf, pushImage } from './registry-image.js';
import { writeTar } from './tar-writer.js';

export const MIB = 1 << 20;

/** Bytes of a blob: from `from` up to, but not including, `end`. */
export interface Span {
  readonly from: number;
  readonly end: number;
}

export interface RemoteLayer {
  readonly machine: Machine;
  readonly registry: Registry;
  readonly proxy: FaultProxy;
  readonly mount: Mount;
  readonly blob: Buffer;
  /** `docker://` name of the image, through the proxy. */
  readonly image: string;
  /** Where the chunks of a file lie in the blob, each in whole blocks: what is fetched for them. */
  readonly chunks: (name: string) => readonly Span[];
  /** Where all of them lie together. */
  readonly span: (name: string) => Span;
}

export interface RemoteOptions extends MountOptions {
  readonly settings?: Record<string, string>;
  readonly chunkSize?: number;
  /** Changes the blob before it is pushed. */
  readonly edit?: (blob: Buffer, chunks: (name: string) => readonly Span[]) => void;
}

/** A host that reads for several readers at a time. */
export const THREADED = ['fast_ino=1', 'threaded=1'];

/** Pushes a layer of these files, in chunks of 1 MiB, and mounts it. Nothing is fetched but what is asked for. */
export async function remoteLayer(
  t: ExecutionContext,
  files: Readonly<Record<string, Buffer>>,
  { settings = {}, chunkSize = MIB, edit, ...options }: RemoteOptions = {},
): Promise<RemoteLayer> {
  const machine = new Machine({ CRFS_BACKGROUND: 'off', CRFS_READAHEAD: '0', ...settings });
  t.teardown(() => machine.dispose());
  const { registry, proxy } = await registryBehindProxy(t, machine);
  const tar = join(machine.directory('tars'), 'layer.tar');
  writeTar(
    tar,
    Object.entries(files).map(([name, content]) => ({ name, content, mode: 0o755 })),
  );
  const { layers, config } = await imageOf([tar], { chunkSize });
  const [layer] = layers;
  if (layer === undefined) throw new Error('the image has no layer');
  const spans = spansOf(readLayer(`${tar}.esgz`));
  const chunks = (name: string): readonly Span[] => spans.get(name)?.map(blocksOf) ?? [];
  edit?.(layer.bytes, (name) => spans.get(name) ?? []);
  const pushed = { ...blobOf(layer.mediaType, layer.bytes), annotations: layer.annotations ?? {} };
  await pushImage({ layers: [pushed], config }, `${registry.host}/layer:1`);
  const image = `docker://${proxy.host}/layer:1`;
  const mount = await machine.mount([image], { options: THREADED, ...options });
  proxy.reset();
  const span = (name: string): Span => {
    const all = chunks(name);
    return { from: all[0]?.from ?? 0, end: all.at(-1)?.end ?? 0 };
  };
  return { machine, registry, proxy, mount, blob: layer.bytes, image, chunks, span };
}

/** Where the members of each file lie. */
function spansOf({ entries, tocOffset }: Layer): Map<string, Span[]> {
  const starts = [...new Set(entries.flatMap(({ offset }) => offset ?? [])), tocOffset].sort((a, b) => a - b);
  const spans = new Map<string, Span[]>();
  for (const { name, offset } of entries) {
    if (offset === undefined) continue;
    const end = starts.find((start) => start > offset) ?? tocOffset;
    spans.set(name, [...(spans.get(name) ?? []), { from: offset, end }]);
  }
  return spans;
}

function blocksOf({ from, end }: Span): Span {
  return { from: Math.floor(from / BLOCK) * BLOCK, end: Math.ceil(end / BLOCK) * BLOCK };
}

/** Has answers with bytes of the layer wait at the gate, once they have come to a byte that is in none of these spans. */
export function onlyThese(gate: Gate, ...spans: readonly Span[]): (seen: Seen) => Fault | undefined {
  return (seen) => {
    const range = /^bytes=(\d+)-(\d+)$/.exec(seen.headers.range ?? '');
    if (!seen.path.includes('/blobs/') || range === null) return undefined;
    const [first, last] = [Number(range[1]), Number(range[2])];
    const span = spans.find(({ from, end }) => from <= first && first < end);
    if (span !== undefined && last < span.end) return undefined;
    return { kind: 'hold', gate, after: span === undefined ? 0 : bytesBefore(span.end, seen) };
  };
}

/** For each file that is half filled: of each of its chunks, whether the draft says that it is there. */
export function draftsOf({ machine }: RemoteLayer, chunks: number): boolean[][] {
  const drafts = join(machine.objects, '../drafts');
  return readdirSync(drafts).flatMap((two) =>
    readdirSync(join(drafts, two)).map((name) => {
      return [...readFileSync(join(drafts, two, name)).subarray(-chunks)].map((byte) => byte === 1);
    }),
  );
}
