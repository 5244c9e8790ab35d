// SPDX-License-Identifier: GPL-3.0-or-later

/** Indexes as SOCI makes them: of what Python finds in a tar, by the FlatBuffers of others. */

import { gunzipSync } from 'node:zlib';
import { Builder } from 'flatbuffers';
import type { Form } from '../../src/main/formats/decode.js';
import { bytesOfName } from '../../src/main/formats/name-bytes.js';
import type { Point } from '../../src/main/formats/points.js';
import { layerIn } from '../../src/main/plain/compressed.js';
import { openFileSource } from '../../src/main/sources/file.js';
import { run } from './run.js';

const WINDOW = 32 << 10;

/** As SOCI has them in its index of an image: the digest of the layer is the annotation. */
export const ZTOC_TYPE = 'application/octet-stream';
export const ZTOC_LAYER = 'com.amazon.soci.image-layer-digest';
export const SOCI_TYPES = {
  v1: 'application/vnd.amazon.soci.index.v1+json',
  v2: 'application/vnd.amazon.soci.index.v2+json',
} as const;

const LIST = `
import json, sys, tarfile
kinds = {tarfile.REGTYPE: "reg", tarfile.DIRTYPE: "dir", tarfile.SYMTYPE: "symlink", tarfile.LNKTYPE: "hardlink",
         tarfile.CHRTYPE: "char", tarfile.BLKTYPE: "block", tarfile.FIFOTYPE: "fifo"}
with tarfile.open(sys.argv[1], errors="surrogateescape") as tar:
  print(json.dumps([[m.name, kinds[m.type], m.offset_data, m.size, m.linkname, m.mode, m.uid, m.gid, str(m.pax_headers.get("mtime", int(m.mtime))),
                     m.devmajor, m.devminor, m.pax_headers] for m in tar]))
`;

type Member = readonly [
  name: string,
  type: string,
  offset: number,
  size: number,
  link: string,
  mode: number,
  uid: number,
  gid: number,
  /** Seconds, as decimals. */
  mtime: string,
  major: number,
  minor: number,
  records: Readonly<Record<string, string>>,
];

export interface ZtocParts {
  readonly members: readonly Member[];
  readonly checkpoints: Buffer;
  readonly blobSize: number;
  readonly tarSize: number;
  readonly form: Form;
}

/** What a zTOC of the blob in a file, of the tar in another one, is made of; with checkpoints `span` bytes apart. */
export async function ztocParts(
  tar: string,
  blob: string,
  span: number,
  form: 'gzip' | 'none' = 'gzip',
): Promise<ZtocParts> {
  const members = JSON.parse(String(await run('python3', ['-c', LIST, tar]))) as Member[];
  const [source, plain] = [openFileSource(blob), openFileSource(tar)];
  try {
    const points = form === 'none' ? [] : await pointsIn(source, span);
    return { members, checkpoints: checkpointsOf(points, span), blobSize: source.size, tarSize: plain.size, form };
  } finally {
    await source.close();
    await plain.close();
  }
}

async function pointsIn(source: ReturnType<typeof openFileSource>, span: number): Promise<readonly Point[]> {
  const layer = layerIn(source, 'gzip', span);
  await layer.entries(() => undefined);
  return layer.points?.list ?? [];
}

/** As zran has them: the first whole byte, and how many bits before it belong to the block. */
function checkpointsOf(points: readonly Point[], span: number): Buffer {
  const header = Buffer.alloc(12);
  header.writeInt32LE(points.length);
  header.writeBigInt64LE(BigInt(span), 4);
  const all = points.map(({ offset, bit, outOffset, windowSize, window }) => {
    const bytes = Buffer.alloc(17 + WINDOW);
    bytes.writeBigInt64LE(BigInt(bit > 0 ? offset + 1 : offset));
    bytes.writeBigInt64LE(BigInt(outOffset), 8);
    bytes.writeUInt8(bit > 0 ? 8 - bit : 0, 16);
    if (windowSize > 0) gunzipSync(window).copy(bytes, bytes.length - windowSize);
    return bytes;
  });
  return Buffer.concat([header, ...all]);
}

/** The zTOC of these parts. */
export function ztocOf({ members, checkpoints, blobSize, tarSize, form }: ZtocParts): Buffer {
  const builder = new Builder(1024);
  const vectorOf = (tables: readonly number[]): number => {
    builder.startVector(4, tables.length, 4);
    for (const table of tables.toReversed()) builder.addOffset(table);
    return builder.endVector();
  };
  const text = (value: string): number => builder.createString(bytesOfName(value));
  const files = vectorOf(
    members.map(([name, type, offset, size, link, mode, uid, gid, mtime, major, minor, records]) => {
      const ofRecords = vectorOf(
        Object.entries(records).map(([key, value]) => {
          const [k, v] = [text(key), text(value)];
          builder.startObject(2);
          builder.addFieldOffset(0, k, 0);
          builder.addFieldOffset(1, v, 0);
          return builder.endObject();
        }),
      );
      const time = text(rfc3339(mtime));
      const [n, t, l, u] = [text(name), text(type), text(link), text('')];
      builder.startObject(14);
      for (const [field, at] of [
        [0, n],
        [1, t],
        [4, l],
        [8, u],
        [9, u],
        [10, time],
        [13, ofRecords],
      ] as const) {
        builder.addFieldOffset(field, at, 0);
      }
      for (const [field, value] of [
        [2, offset],
        [3, size],
        [5, mode],
        [11, major],
        [12, minor],
      ] as const) {
        builder.addFieldInt64(field, BigInt(value), 0n);
      }
      builder.addFieldInt32(6, uid, 0);
      builder.addFieldInt32(7, gid, 0);
      return builder.endObject();
    }),
  );
  builder.startObject(1);
  builder.addFieldOffset(0, files, 0);
  const toc = builder.endObject();
  const ofCheckpoints = builder.createByteVector(checkpoints);
  const digests = vectorOf([]);
  builder.startObject(4);
  builder.addFieldInt32(1, Math.max(0, checkpoints.readInt32LE() - 1), 0);
  builder.addFieldOffset(2, digests, 0);
  builder.addFieldOffset(3, ofCheckpoints, 0);
  builder.addFieldInt8(0, form === 'none' ? 2 : 1, 1);
  const compression = builder.endObject();
  const [version, tool] = [text('0.9'), text('a test')];
  builder.startObject(6);
  builder.addFieldOffset(0, version, 0);
  builder.addFieldOffset(1, tool, 0);
  builder.addFieldOffset(4, toc, 0);
  builder.addFieldInt64(2, BigInt(blobSize), 0n);
  builder.addFieldInt64(3, BigInt(tarSize), 0n);
  builder.addFieldOffset(5, compression, 0);
  builder.finish(builder.endObject());
  return Buffer.from(builder.asUint8Array());
}

function rfc3339(mtime: string): string {
  const [, seconds = '', fraction = ''] = /^(-?\d+)(\.\d+)?$/.exec(mtime) ?? [];
  const [down, rest] =
    seconds.startsWith('-') && Number(fraction) > 0 ? [1, 1 - Number(fraction)] : [0, Number(fraction)];
  const whole = new Date((Number(seconds) - down) * 1000).toISOString().slice(0, -'.000Z'.length);
  return `${whole}${rest === 0 ? '' : rest.toFixed(9).slice(1)}Z`;
}
