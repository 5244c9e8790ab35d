// SPDX-License-Identifier: GPL-3.0-or-later

/** The native addon: what it exports, typed. Built by binding.gyp from csrc/addon. */

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { home } from './home.js';

type Offsets<Names extends string> = Readonly<Record<Names | 'bytes', number>>;

/** Sizes, offsets in bytes and limits of the structures that C and TypeScript share; csrc/shared/*.h describe them. */
export interface Layout {
  readonly index: Offsets<
    | 'version'
    | 'probes'
    | 'fileSize'
    | 'key'
    | 'inoBase'
    | 'blobUsed'
    | 'codec'
    | 'prefetchEnd'
    | 'contentSize'
    | 'hashSeed'
    | 'flags'
    | 'inodes'
    | 'dirents'
    | 'chunks'
    | 'digests'
    | 'xattrs'
    | 'slots'
    | 'strings'
    | 'points'
    | 'windows'
  >;
  readonly table: Offsets<'offset' | 'count'>;
  readonly inode: Offsets<
    | 'size'
    | 'mtimeSec'
    | 'mtimeNsec'
    | 'mode'
    | 'uid'
    | 'gid'
    | 'nlink'
    | 'flags'
    | 'xattrFirst'
    | 'xattrCount'
    | 'first'
    | 'count'
    | 'dirent'
    | 'key'
    | 'major'
    | 'minor'
  >;
  readonly dirent: Offsets<'path' | 'inode' | 'pathLength' | 'nameLength' | 'type'>;
  readonly chunk: Offsets<'offset' | 'end' | 'inner' | 'fileOffset' | 'size' | 'digest' | 'inode'>;
  readonly xattr: Offsets<'name' | 'value' | 'valueLength' | 'nameLength'>;
  readonly slot: Offsets<'tag' | 'dirent'>;
  readonly point: Offsets<'offset' | 'out' | 'window' | 'windowLength' | 'windowSize' | 'bit'>;
  readonly message: Offsets<
    | 'type'
    | 'textLength'
    | 'helloVersion'
    | 'openAgain'
    | 'layerSource'
    | 'layerPlace'
    | 'layerDigest'
    | 'welcomeVersion'
    | 'openedSource'
    | 'openedLayers'
    | 'layerIndexNumber'
    | 'layerIndexDigest'
    | 'errorErrno'
    | 'storedSource'
    | 'fetchOffset'
    | 'fetchSize'
    | 'referLess'
    | 'describedSize'
    | 'referredUses'
  >;
  readonly constants: Readonly<
    Record<
      | 'indexVersion'
      | 'nameLimit'
      | 'pathLimit'
      | 'inodeLimit'
      | 'probeLimit'
      | 'indexUnverified'
      | 'codecGzip'
      | 'codecZstd'
      | 'codecGzipPoints'
      | 'codecNone'
      | 'windowLimit'
      | 'inodeDigest'
      | 'inodeWhole'
      | 'inodeSummed'
      | 'chunkThere'
      | 'draftSlack'
      | 'requestQuick'
      | 'lazyUntried'
      | 'lazyWorks'
      | 'lazyImpossible'
      | 'ringSize'
      | 'traceSize'
      | 'noInode'
      | 'controlVersion'
      | 'controlTextLimit'
      | 'busyIntervalMs'
      | 'beatIntervalMs'
      | 'hello'
      | 'open'
      | 'layer'
      | 'here'
      | 'welcome'
      | 'opened'
      | 'layerIndex'
      | 'busy'
      | 'error'
      | 'describe'
      | 'fetch'
      | 'refer'
      | 'described'
      | 'fetched'
      | 'referred',
      number
    >
  >;
  /** Names of the environment variables that a mount tells. */
  readonly environment: readonly string[];
  readonly indexMagic: bigint;
}

/** One packet of the control socket; the receiver owns the descriptors. */
export interface Packet {
  /** Bytes in the buffer; 0 at the end of the connection. */
  readonly length: number;
  readonly fds: number[];
  /** The process that sent it; 0: it is in no pid namespace of ours. */
  readonly pid: number;
  /** Descriptors that came along were lost: there were too many, or this process may have no more. */
  readonly cut: boolean;
}

export interface Connection {
  readonly fd: number;
  readonly uid: number;
  readonly pid: number;
}

/** Counters that a mount keeps in its ring. */
export interface Opens {
  /** Requests published and not yet taken. */
  readonly depth: number;
  /** Opens that found their object, and the bytes of those files. */
  readonly hits: number;
  readonly hitBytes: number;
  /** Opens that had to ask, and that failed. */
  readonly misses: number;
  readonly errors: number;
  readonly waitedNs: number;
  /** Opens that did not wait: their reads do. */
  readonly lazyOpens: number;
}

/** What a mount tells in its ring. */
export interface RingStatus extends Opens {
  /** Whether files can be read before all of them is there: `lazy…` of the layout's constants; and why not: an errno. */
  readonly lazy: number;
  readonly lazyError: number;
  /** 1: the kernel opens by itself what is in the cache, which is neither counted nor traced. */
  readonly unseen: number;
}

/**
 * Calls `callback` whenever the descriptor is readable or hung up, but not between pause() and resume(); close() closes the
 * descriptor too.
 */
export interface Watcher {
  pause(): void;
  resume(): void;
  close(): void;
}

/** What a stream is compressed with. */
export type StreamForm = 'gzip' | 'zstd';

/** The state of a stream that is being decoded, outside of JavaScript's memory until close(). One call at a time. */
export interface Decoder {
  /**
   * Decodes from the front of `input` into `output`, until there is no input left, or no room. `whole`: the stream may
   * end behind what was used. Rejects with what is wrong with the stream.
   */
  decode(input: Uint8Array, output: Uint8Array): Promise<[used: number, made: number, whole: boolean]>;
  /** The same in this thread. Throws what is wrong with the stream. */
  decodeNow(input: Uint8Array, output: Uint8Array): [used: number, made: number, whole: boolean];
  close(): void;
}

/** The sha256 of one thing after the other. */
export interface Sha256 {
  /** Takes the next bytes of what is hashed now. */
  update(bytes: Uint8Array): void;
  /** What was hashed, in hexadecimal digits: what comes next is another thing. */
  digest(): string;
}

/** A point at which decoding can begin. Offsets in bytes. */
export interface FoundPoint {
  /** Of the byte of the stream that holds its first bit. */
  readonly offset: number;
  /** Of what is decoded from there on, in all that the stream decodes to. */
  readonly outOffset: number;
  /** Of that byte, at which it is: 0 to 7. */
  readonly bit: number;
  /** Bytes of what was decoded just before: up to 32 KiB. Above 0, the window follows. */
  readonly windowSize: number;
}

/** What has become of an array that was handed to a `PointDecoder`. */
export interface Decoded {
  /** Bytes of it that were decoded, or filled. */
  readonly done: number;
  /** Those that lie in what it was filled with, or at its end. */
  readonly points: readonly FoundPoint[];
  /** Of these, and of those before them, in their order: what was decoded just before, with zeros for what is not needed to begin there. */
  readonly windows: readonly Uint8Array[];
  /** Nothing is decoded any more. */
  readonly isLast: boolean;
  /** What is wrong with the stream, for which that is so; or empty. */
  readonly fault: string;
}

/**
 * Reads a stream from its start, to find the points at which decoding it can begin. What is taken is decoded into what is to
 * be filled, in the order in which either was handed on, by a thread of its own that is ahead of JavaScript as far as
 * there are arrays. Until its promise is kept, an array is in use. None is rejected.
 */
export interface PointDecoder {
  take(input: Uint8Array): Promise<Decoded>;
  /** What was taken is all. */
  takeNoMore(): void;
  fill(room: Uint8Array): Promise<Decoded>;
  /** Ends what is under way, soon: all promises are kept then. */
  close(): void;
}

/** Where in a portable index what is behind its TOC ends: src/main/formats/portable/layout.ts. */
export interface PortableParts {
  readonly pointsEnd: number;
  /** And that of the file. */
  readonly windowsEnd: number;
}

/** What `makeIndex` goes by; sizes and offsets in bytes. */
export interface NativeIndexRequest {
  /** Open on the blob that holds the TOC, which lies in [start, end). */
  readonly fd: number;
  readonly start: number;
  readonly end: number;
  /** The blob is a portable index; else the TOC is a gzip'ed tar of JSON. */
  readonly portable?: PortableParts;
  readonly contentEnd: number;
  /** As of formats/codec.ts. */
  readonly codec: number;
  readonly expansion: number;
  readonly memoryLimit: number;
  readonly path: string;
  readonly identity: string;
}

/** As of index/build.ts; digests in hex. */
export interface NativeIndexSummary {
  readonly tocDigest: string;
  readonly inodes: number;
  readonly files: number;
  readonly contentSize: number;
  readonly unverified: boolean;
  readonly key: string;
  /** Of the index itself. */
  readonly indexDigest: string;
}

export interface Addon {
  readonly layout: Layout;
  /** Where the map of a draft of `size` bytes begins: csrc/shared/draft.h. */
  draftMap(size: number): number;
  /** The path hash as C computes it: [place, tag], both unsigned 32-bit. */
  indexHash(seed: number, path: Uint8Array): [number, number];
  /**
   * Makes the index of a layer out of its TOC, beside this thread; csrc/indexer/indexer.h. Resolves to null,
   * and leaves no file, where something about the TOC is unusual or wrong, or anything fails.
   */
  makeIndex(request: NativeIndexRequest): Promise<NativeIndexSummary | null>;
  /** Checks an index as the plugin does; returns the rule that it breaks, or null. */
  indexCheck(bytes: Uint8Array): string | null;
  /**
   * Deflates `input` into `output` as one gzip member without a time or a name in its header, at a level from 0 to 12.
   * Returns the bytes written, or 0: the output is too small, or there is no memory.
   */
  deflate(input: Uint8Array, output: Uint8Array, level: number): number;
  /** Bytes that one gzip member of `length` bytes never exceeds. */
  deflateBound(length: number): number;
  /**
   * Compresses `input` to one zstd frame in `output`; it holds the length and the checksum of its content.
   * Returns the bytes written, or 0: the output is too small, or there is no memory.
   */
  zstd(input: Uint8Array, output: Uint8Array, level: number): number;
  /** Bytes that one zstd frame of `length` bytes never exceeds. */
  zstdBound(length: number): number;
  /** CRC-64 (ISO 3309) of what `before` is the sum of, and then the bytes; 0n is that of nothing. */
  crc64(before: bigint, bytes: Uint8Array): bigint;

  /**
   * Inflates the gzip members of `input` into `output`, until the input ends or, at the end of a member, the output is
   * full. Returns the bytes written, or -1: the output is too small, -2: bad data.
   */
  inflate(input: Uint8Array, output: Uint8Array): number;
  /**
   * Inflates the gzip members in `length` bytes of a file, from `offset` on, into `output`, which maps another file, until
   * they end or the output is full. Returns the bytes written, or -2: bad data, -3: the other file cannot take the bytes,
   * for lack of space, -4: the file has become shorter. Throws with `errno`.
   */
  inflateFile(fd: number, offset: number, length: number, output: Uint8Array): number;

  /**
   * Decodes a stream of gzip members or zstd frames, whose windows may have up to 128 MiB; `anyWindow`: up to 2 GiB. Or the
   * rest of a gzip stream, from a `bit` of its first byte on, 0 to 7; `window`: up to 32 KiB that were decoded before that.
   */
  readonly Decoder: {
    new (form: StreamForm, anyWindow?: boolean): Decoder;
    new (form: 'restart', bit: number, window: Uint8Array): Decoder;
  };
  readonly Sha256: new () => Sha256;
  /** Points are where blocks of deflate begin, or zstd frames: the first, and then each at least `span` bytes of output behind the one before. */
  readonly PointDecoder: new (
    form: StreamForm,
    span: number,
  ) => PointDecoder;

  /**
   * Maps a file, shared, until unmap: all of it, or `length` bytes from `offset` on, which is that of a page. Writing to a
   * mapping that is not writable kills the process. Throws with `errno`.
   */
  map(fd: number, writable: boolean, offset?: number, length?: number): ArrayBuffer;
  /** Ends a mapping: the buffer is detached, and views of it are empty from now on. */
  unmap(buffer: ArrayBuffer): void;
  /**
   * Whether new pages of a file take much longer by a mapping than written. Sets the `newPagesTried` bytes from `offset` on, a
   * multiple of 64 KiB, to zeros; they lie in the file, which should have no pages there yet. null: that cannot be done.
   */
  isMappingDear(fd: number, offset: number): boolean | null;
  readonly newPagesTried: number;
  /** Takes the exclusive lock of a file, or returns false: another process holds it. */
  lock(fd: number): boolean;
  /**
   * Waits, in this thread, until this open file has a byte of the file for itself, until `unlockByte` or its closing: other
   * open files of the same file wait for it, in this process and in others.
   */
  lockByte(fd: number, offset: number): void;
  unlockByte(fd: number, offset: number): void;
  /** Makes a part of a file zeros that take no space. Returns false where the file system cannot. Throws with `errno`. */
  punch(fd: number, offset: number, length: number): boolean;
  /** Resolves when all that was written to the file system of the file is on its disk. */
  syncFileSystem(fd: number): Promise<void>;
  /** Gives the system back what ended threads have freed, where the C library would keep it for later. */
  /** Has the file system spread the directories that are made in this one over the disk, where it is asked for that. */
  spreadDirectories(fd: number): void;
  trimMemory(): void;

  /** The daemon's own rings, in falling priority behind those of the mounts. */
  readonly ownRings: { readonly readahead: number; readonly background: number };
  /** Starts to consume the ring in a sealed memfd; returns its number. Throws EINVAL for anything else. */
  ringAttach(fd: number): number;
  ringDetach(ring: number): void;
  ringStatus(ring: number): RingStatus | null;
  /** Switches a mount's trace. Returns the position of the open that is noted next, or null: the ring is gone. */
  ringTrace(ring: number, on: boolean): number | null;
  /**
   * Reads a mount's trace from a position on. Returns the next position, how many opens were missed, and how many are in
   * `out`, or null: the ring is gone. Five numbers each, all of them the mount's word: layer, inode, errno, nanoseconds
   * of the monotonic clock at its end, and those that it waited.
   */
  ringOpenings(ring: number, position: number, out: Float64Array): [next: number, missed: number, count: number] | null;
  /**
   * Claims the next request, of mounts first, of the daemon's own rings unless `demandOnly`. Returns false if there is
   * none; else fills `out`: ring, position, layer, inode, first chunk, number of chunks, flags.
   */
  take(out: Uint32Array, demandOnly: boolean): boolean;
  /** Whether a mount's request is there to be taken. */
  hasDemand(): boolean;
  /** Tells whoever waits for a taken request that there is progress. */
  progress(ring: number, position: number): void;
  /** The result of a taken request: 0 or an errno. */
  complete(ring: number, position: number, errno: number): void;
  /** A request of the daemon to itself; returns false if there is no room. Nobody waits for its result. */
  submit(ownRing: number, layer: number, inode: number, chunkFirst: number, chunkCount: number): boolean;
  /** The doorbell's descriptor, to hand to mounts; it stays the addon's. */
  doorbellFd(): number;
  /** Shows mounts that the daemon lives: due every `beatIntervalMs`. */
  doorbellBeat(): void;
  /** Wakes up to `times` sleepers. */
  doorbellRing(times: number): void;
  /** Workers that wait for the doorbell. Mounts can write there, too: a hint, nothing more. */
  doorbellSleepers(): number;
  doorbellCount(): number;
  /** Blocks this thread until the doorbell rings after `count` was read, or for a second. */
  doorbellWait(count: number): void;

  /** Whether somebody listens there, of whom mounts could ask something. */
  controlAnswers(path: string): boolean;
  controlListen(path: string): number;
  controlAccept(fd: number): Connection | null;
  controlReceive(fd: number, buffer: Uint8Array): Packet | null;
  /** Sends one packet; the caller keeps its descriptors. Throws with `errno`. */
  controlSend(fd: number, bytes: Uint8Array, fds: readonly number[]): void;
  readonly Watcher: new (fd: number, callback: () => void) => Watcher;
}

const require = createRequire(import.meta.url);

export const addon = require(fileURLToPath(new URL('build/Release/crfs_addon.node', home))) as Addon;
