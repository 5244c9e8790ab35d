// SPDX-License-Identifier: GPL-3.0-or-later

import { addon } from '../../native/addon.js';
import { CrfsError } from '../errors/error.js';

const { message: layout, constants } = addon.layout;

/** A message of the control protocol: csrc/shared/control.h. */
export interface Message {
  readonly type: number;
  readonly a: number;
  readonly b: number;
  readonly text: string;
  /** 32 bytes */
  readonly digest: Uint8Array;
}

export const messageLimit = layout.bytes + constants.controlTextLimit;

export function encodeMessage({ type, a, b, text, digest }: Partial<Message> & { type: number }): Buffer {
  const tail = Buffer.from(text ?? '').subarray(0, constants.controlTextLimit);
  const bytes = Buffer.alloc(layout.bytes + tail.length);
  bytes.writeUInt32LE(type, layout.type);
  bytes.writeUInt32LE(a ?? 0, layout.a);
  bytes.writeUInt32LE(b ?? 0, layout.b);
  bytes.writeUInt32LE(tail.length, layout.textLength);
  if (digest) bytes.set(digest, layout.digest);
  bytes.set(tail, layout.bytes);
  return bytes;
}

/** Throws CRFS_USAGE for anything but one whole message. */
export function decodeMessage(bytes: Buffer): Message {
  if (bytes.length < layout.bytes || bytes.length !== layout.bytes + bytes.readUInt32LE(layout.textLength)) {
    throw new CrfsError('CRFS_USAGE', `a control message of ${bytes.length} bytes is not of the length that it says`);
  }
  return {
    type: bytes.readUInt32LE(layout.type),
    a: bytes.readUInt32LE(layout.a),
    b: bytes.readUInt32LE(layout.b),
    text: bytes.toString('utf8', layout.bytes),
    digest: new Uint8Array(bytes.subarray(layout.digest, layout.digest + 32)),
  };
}
