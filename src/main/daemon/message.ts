// SPDX-License-Identifier: GPL-3.0-or-later

/** The control protocol, as csrc/shared/control.h has it: what a mount asks, and what it is answered. */

import { addon } from '../../native/addon.js';
import { CrfsError } from '../errors/error.js';

const { message: layout, constants: types } = addon.layout;
const DIGEST_BYTES = 32;

export type Question =
  | { readonly kind: 'hello'; readonly version: number; readonly text: string }
  | { readonly kind: 'open'; readonly again: boolean; readonly text: string }
  | { readonly kind: 'layer'; readonly source: number; readonly place: number; readonly digest: Uint8Array }
  | { readonly kind: 'here' }
  | StoredQuestion
  | { readonly kind: 'unknown'; readonly type: number };

/** Of a source that is one layer of an image. */
export type StoredQuestion =
  | { readonly kind: 'describe'; readonly source: number }
  | { readonly kind: 'fetch'; readonly source: number; readonly offset: number; readonly size: number }
  | { readonly kind: 'refer'; readonly source: number; readonly less: boolean; readonly text: string };

export type Answer =
  | { readonly kind: 'welcome'; readonly version: number }
  | { readonly kind: 'opened'; readonly source: number; readonly layers: number; readonly text: string }
  | { readonly kind: 'layerIndex'; readonly number: number; readonly digest: Uint8Array }
  | { readonly kind: 'described'; readonly size: number; readonly text: string }
  | { readonly kind: 'fetched' }
  | { readonly kind: 'referred'; readonly uses: number }
  | { readonly kind: 'busy' }
  | { readonly kind: 'error'; readonly errno: number; readonly text: string };

export const messageLimit = layout.bytes + types.controlTextLimit;

/** The packet of an answer; a text that is too long is cut. */
export function encodeAnswer(answer: Answer): Buffer {
  const text = Buffer.from('text' in answer ? answer.text : '').subarray(0, types.controlTextLimit);
  const bytes = Buffer.alloc(layout.bytes + text.length);
  bytes.writeUInt32LE(types[answer.kind], layout.type);
  bytes.writeUInt32LE(text.length, layout.textLength);
  bytes.set(text, layout.bytes);
  switch (answer.kind) {
    case 'welcome':
      bytes.writeUInt32LE(answer.version, layout.welcomeVersion);
      break;
    case 'opened':
      bytes.writeUInt32LE(answer.source, layout.openedSource);
      bytes.writeUInt32LE(answer.layers, layout.openedLayers);
      break;
    case 'layerIndex':
      bytes.writeUInt32LE(answer.number, layout.layerIndexNumber);
      bytes.set(answer.digest, layout.layerIndexDigest);
      break;
    case 'error':
      bytes.writeUInt32LE(answer.errno, layout.errorErrno);
      break;
    case 'described':
      bytes.writeBigUInt64LE(BigInt(answer.size), layout.describedSize);
      break;
    case 'referred':
      bytes.writeUInt32LE(answer.uses, layout.referredUses);
      break;
    case 'fetched':
    case 'busy':
      break;
  }
  return bytes;
}

/** The question of a packet. Throws CRFS_USAGE for anything but one whole message. */
export function decodeQuestion(bytes: Buffer): Question {
  if (bytes.length < layout.bytes || bytes.length !== layout.bytes + bytes.readUInt32LE(layout.textLength)) {
    throw new CrfsError('CRFS_USAGE', `a control message of ${bytes.length} bytes is not of the length that it says`);
  }
  const type = bytes.readUInt32LE(layout.type);
  const text = bytes.toString('utf8', layout.bytes);
  switch (type) {
    case types.hello:
      return { kind: 'hello', version: bytes.readUInt32LE(layout.helloVersion), text };
    case types.open:
      return { kind: 'open', again: bytes.readUInt32LE(layout.openAgain) === 1, text };
    case types.layer:
      return {
        kind: 'layer',
        source: bytes.readUInt32LE(layout.layerSource),
        place: bytes.readUInt32LE(layout.layerPlace),
        digest: new Uint8Array(bytes.subarray(layout.layerDigest, layout.layerDigest + DIGEST_BYTES)),
      };
    case types.describe:
      return { kind: 'describe', source: bytes.readUInt32LE(layout.storedSource) };
    case types.fetch:
      return {
        kind: 'fetch',
        source: bytes.readUInt32LE(layout.storedSource),
        offset: Number(bytes.readBigUInt64LE(layout.fetchOffset)),
        size: Number(bytes.readBigUInt64LE(layout.fetchSize)),
      };
    case types.refer:
      return {
        kind: 'refer',
        source: bytes.readUInt32LE(layout.storedSource),
        less: bytes.readUInt32LE(layout.referLess) === 1,
        text,
      };
    case types.here:
      return { kind: 'here' };
    default:
      return { kind: 'unknown', type };
  }
}
