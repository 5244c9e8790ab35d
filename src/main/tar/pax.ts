// SPDX-License-Identifier: GPL-3.0-or-later

/** Extended headers: POSIX pax(1), "pax Extended Header". */

import type { Time } from '../formats/entry.js';
import { LayerFault, quote } from '../formats/fault.js';
import { bytesOfName, nameOfBytes } from '../formats/name-bytes.js';
import { padding, plainHeader } from './header.js';

/** Values are bytes: those of extended attributes may be anything. */
export type PaxRecord = readonly [keyword: string, value: Buffer];
export type PaxRecords = ReadonlyMap<string, Buffer>;

const SPACE = 0x20;
const NEWLINE = 0x0a;

/** Reads the records "length keyword=value\n" of an extended header, in order. Throws LayerFault. */
export function parsePax(bytes: Uint8Array): PaxRecord[] {
  const all = Buffer.from(bytes);
  const records: PaxRecord[] = [];
  const length = all.findLastIndex((byte) => byte !== 0) + 1; // some writers fill the last block within the header's size
  for (let at = 0; at < length; ) {
    const gap = all.indexOf(SPACE, at);
    const digits = gap < 0 ? '' : all.toString('latin1', at, gap);
    const end = at + Number(digits);
    const equals = all.indexOf('=', gap);
    if (!/^[1-9]\d{0,9}$/.test(digits) || end > all.length || all[end - 1] !== NEWLINE || equals < 0 || equals >= end) {
      throw new LayerFault('a PAX header holds a record that is not "length keyword=value"');
    }
    records.push([nameOfBytes(all.subarray(gap + 1, equals)), all.subarray(equals + 1, end - 1)]);
    at = end;
  }
  return records;
}

/** The tar blocks of an extended header with these records. */
export function paxHeader(records: PaxRecords): Uint8Array[] {
  const body = Buffer.concat([...records].map(([keyword, value]) => encodeRecord(keyword, value)));
  return [plainHeader('PaxHeaders', body.length, 'x'), body, padding(body.length)];
}

/** A time in decimal seconds, as seconds and nanoseconds from 0 on. Throws LayerFault. */
export function parsePaxTime(value: Buffer): Time {
  const parts = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(value.toString('latin1'));
  if (!parts) throw new LayerFault(`a PAX header holds the time ${quote(value.toString())}`);
  const negative = parts[1] === '-';
  const seconds = Number(parts[2]);
  const nanoseconds = Number((parts[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (!negative) return { seconds, nanoseconds };
  if (nanoseconds === 0) return { seconds: seconds === 0 ? 0 : -seconds, nanoseconds: 0 };
  return { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}

/** A number in decimal digits; `what` names it. Throws LayerFault. */
export function parseDecimal(value: Buffer, what: string): number {
  const digits = value.toString('latin1');
  const parsed = Number(digits);
  if (!/^\d{1,16}$/.test(digits) || !Number.isSafeInteger(parsed)) {
    throw new LayerFault(`a PAX header holds ${quote(digits)} for a ${what}`);
  }
  return parsed;
}

/** GNU tar writes `=` and `%` in an attribute's name as `%3D` and `%25`. */
export function xattrName(keyword: string): string {
  return keyword.replaceAll('%3D', '=').replaceAll('%25', '%');
}

/** One record, "length keyword=value\n"; the length counts its own digits. */
function encodeRecord(keyword: string, value: Buffer): Buffer {
  const rest = Buffer.concat([bytesOfName(` ${keyword}=`), value, Buffer.of(NEWLINE)]);
  let length = rest.length + String(rest.length).length;
  if (String(length).length + rest.length !== length) length += 1;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}
