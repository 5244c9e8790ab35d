// SPDX-License-Identifier: GPL-3.0-or-later

/** What a zTOC says, the index of one layer by SOCI (soci-snapshotter, ztoc/fbs/ztoc.fbs, and ztoc/compression for its checkpoints). */

import { addon } from '../../../native/addon.js';
import type { Form } from '../decode.js';
import { xattrFault } from '../entry.js';
import { LayerFault } from '../fault.js';
import { nameOfBytes } from '../name-bytes.js';
import type { Points } from '../points.js';
import { Table } from './flatbuffer.js';

/** Places of fields in the schema. */
const ZTOC = { compressedSize: 2, size: 3, toc: 4, compression: 5 };
const TOC = { files: 0 };
const COMPRESSION = { algorithm: 0, checkpoints: 3 };
const FILE = {
  name: 0,
  type: 1,
  offset: 2,
  size: 3,
  linkName: 4,
  mode: 5,
  uid: 6,
  gid: 7,
  modtime: 10,
  devMajor: 11,
  devMinor: 12,
  records: 13,
};
const RECORD = { key: 0, value: 1 };

/** How the layer is compressed, by number; 1 where it does not say. */
const FORMS: Readonly<Record<number, Form>> = { 1: 'gzip', 2: 'none' };
const GZIP = 1;

/** Of checkpoints: how many, i32, and the bytes of a span, i64. */
const HEADER_BYTES = 12;
/** Of one: the first whole byte in the blob, i64; in what that inflates to, i64; how many bits before it belong to it, u8; the window. */
const CHECKPOINT = { offset: 0, outOffset: 8, bits: 16, window: 17 };
const { windowLimit } = addon.layout.constants;
const CHECKPOINT_BYTES = CHECKPOINT.window + windowLimit;

/** Of records of pax: in front of the name of an extended attribute, and of what says that a file has holes. */
const XATTR = 'SCHILY.xattr.';
const SPARSE = 'GNU.sparse.';

/** Bytes of a text, or of a name of a record: twice what a path may have, since paths come with what is cleaned away. */
const TEXT_LIMIT = 2 * addon.layout.constants.pathLimit;

/** A file, its fields as the JSON of eStargz has them; `offset` is where its content is in the tar. */
export interface ZtocFile {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly type: string;
  readonly offset: number;
  readonly size: number;
}

export class Ztoc {
  /** How the layer is compressed. */
  readonly form: Form;
  /** Bytes of the blob, and of the tar. */
  readonly blobSize: number;
  readonly tarSize: number;
  readonly #root: Table;
  readonly #compression: Table;

  /** Throws LayerFault for what is none, or of a layer in a compression that is not known. */
  constructor(bytes: Buffer) {
    this.#root = Table.root(bytes);
    this.#compression = this.#root.table(ZTOC.compression);
    const algorithm = this.#compression.byte(COMPRESSION.algorithm, GZIP);
    const form = FORMS[algorithm];
    if (form === undefined)
      throw new LayerFault(`its index is of a layer in compression ${algorithm}, which is not known`);
    this.form = form;
    this.blobSize = this.#root.int64(ZTOC.compressedSize);
    this.tarSize = this.#root.int64(ZTOC.size);
  }

  /** Adds where the blob can be inflated from. Throws LayerFault. */
  readPoints(points: Points): void {
    const bytes = this.#compression.bytes(COMPRESSION.checkpoints);
    const count = bytes.length < HEADER_BYTES ? 0 : bytes.readInt32LE();
    if (bytes.length !== HEADER_BYTES + count * CHECKPOINT_BYTES) {
      throw new LayerFault('its index lacks its first checkpoint, as old ones do, or is damaged');
    }
    if (count > 0 && Number(bytes.readBigInt64LE(HEADER_BYTES + CHECKPOINT.outOffset)) !== 0) {
      throw new LayerFault('the first checkpoint of its index is not at the start');
    }
    let before = { offset: -1, outOffset: -1 };
    for (let at = HEADER_BYTES; at < bytes.length; at += CHECKPOINT_BYTES) {
      const bits = bytes.readUInt8(at + CHECKPOINT.bits);
      const whole = Number(bytes.readBigInt64LE(at + CHECKPOINT.offset));
      const outOffset = Number(bytes.readBigInt64LE(at + CHECKPOINT.outOffset));
      const offset = bits > 0 ? whole - 1 : whole;
      const follows = offset > before.offset && outOffset > before.outOffset;
      if (!follows || bits > 7 || offset >= this.blobSize || outOffset > this.tarSize) {
        throw new LayerFault('checkpoints of its index do not follow each other');
      }
      const windowSize = Math.min(windowLimit, outOffset);
      points.add({ offset, bit: bits > 0 ? 8 - bits : 0, outOffset, windowSize });
      const end = at + CHECKPOINT_BYTES;
      if (windowSize > 0) points.close(bytes.subarray(end - windowSize, end)); // what lies just before the checkpoint is its end
      before = { offset, outOffset };
    }
  }

  /** In the order of the tar. Throws LayerFault. */
  *files(): Generator<ZtocFile> {
    for (const file of this.#root.table(ZTOC.toc).tables(TOC.files)) yield fileOf(file);
  }
}

function fileOf(file: Table): ZtocFile {
  const text = (field: number): string => textOf(file.bytes(field));
  const type = text(FILE.type);
  const size = type === 'reg' ? file.int64(FILE.size) : 0;
  const fields = {
    name: text(FILE.name),
    type,
    size,
    linkName: text(FILE.linkName),
    mode: file.int64(FILE.mode),
    uid: file.uint32(FILE.uid),
    gid: file.uint32(FILE.gid),
    modtime: text(FILE.modtime),
    devMajor: file.int64(FILE.devMajor),
    devMinor: file.int64(FILE.devMinor),
    xattrs: xattrsOf(file),
  };
  return { fields, type, offset: file.int64(FILE.offset), size };
}

function textOf(bytes: Buffer): string {
  if (bytes.length > TEXT_LIMIT)
    throw new LayerFault(`its index has a text of ${bytes.length} bytes, more than ${TEXT_LIMIT}`);
  return nameOfBytes(bytes);
}

/** Throws LayerFault for a file with holes: where its data is, only the tar tells. */
function xattrsOf(file: Table): Record<string, string> {
  const xattrs = new Map<string, string>();
  for (const record of file.tables(FILE.records)) {
    const key = textOf(record.bytes(RECORD.key));
    if (key.startsWith(SPARSE)) throw new LayerFault('its index does not tell where the data of a file with holes is');
    if (!key.startsWith(XATTR)) continue;
    const [name, value] = [key.slice(XATTR.length), record.bytes(RECORD.value)];
    const fault = xattrFault(name, value.length);
    if (fault !== undefined) throw new LayerFault(fault);
    xattrs.set(name, value.toString('base64'));
  }
  return Object.fromEntries(xattrs);
}
