// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * The footer of a stargz blob: a gzip member of fixed size whose extra field tells where the TOC starts. eStargz
 * specification, "Footer", and the legacy layout of CRFS.
 */

import type { BlobSource } from '../../blob/source.js';
import { CrfsError } from '../../errors/error.js';

/** `estargz-external`: the TOC lies in another blob. */
export type LayerKind = 'stargz' | 'estargz' | 'estargz-external';

export interface Footer {
  readonly kind: LayerKind;
  /** Where the footer starts. */
  readonly start: number;
  /** Where the TOC's gzip member starts; with the TOC elsewhere, where the footer starts. */
  readonly tocOffset: number;
}

const HEAD = Buffer.from('1f8b08040000000000ff', 'hex'); // a gzip header with an extra field
const TAIL = Buffer.from('010000ffff0000000000000000', 'hex'); // an empty stored block, CRC-32 and length 0

/** All bytes of a footer, but for the hex digits of the TOC's offset, which stand between `before` and `after`. */
interface Pattern {
  readonly kind: LayerKind;
  readonly before: Buffer;
  readonly digits: 0 | 16;
  readonly after: Buffer;
}

/** `extraHead`: the id and length of the subfield in the gzip header's extra field (RFC 1952, 2.3.1.1); legacy stargz has none. */
function pattern(kind: LayerKind, extraHead: string, digits: 0 | 16, magic: string): Pattern {
  const lead = Buffer.from(extraHead, 'latin1');
  const extraLength = Buffer.alloc(2);
  extraLength.writeUInt16LE(lead.length + digits + magic.length);
  return {
    kind,
    before: Buffer.concat([HEAD, extraLength, lead]),
    digits,
    after: Buffer.concat([Buffer.from(magic, 'latin1'), TAIL]),
  };
}

const PATTERNS = [
  pattern('estargz', 'SG\x16\x00', 16, 'STARGZ'),
  pattern('stargz', '', 16, 'STARGZ'),
  pattern('estargz-external', 'SG\x11\x00', 0, 'STARGZEXTERNALTOC'),
];

const FOOTER_LIMIT = Math.max(...PATTERNS.map(patternBytes));

function patternBytes(p: Pattern): number {
  return p.before.length + p.digits + p.after.length;
}

/** The digits of the offset at the end of `tail`, or null if the pattern does not stand there. */
function match(p: Pattern, tail: Buffer): string | null {
  const start = tail.length - patternBytes(p);
  if (start < 0) {
    return null;
  }
  const digits = tail.subarray(start + p.before.length, tail.length - p.after.length).toString('latin1');
  const fits =
    tail.subarray(start, start + p.before.length).equals(p.before) &&
    tail.subarray(tail.length - p.after.length).equals(p.after) &&
    (p.digits === 0 || /^[0-9a-fA-F]{16}$/.test(digits));
  return fits ? digits : null;
}

/** The footer of a blob whose TOC's member starts at `tocOffset`. */
export function footerOf(kind: Exclude<LayerKind, 'estargz-external'>, tocOffset: number): Buffer {
  const { before, digits, after } = PATTERNS.find((p) => p.kind === kind) as Pattern;
  return Buffer.concat([before, Buffer.from(tocOffset.toString(16).padStart(digits, '0')), after]);
}

/** The footer of a blob; undefined if it has none. Throws CRFS_BAD_LAYER if it places the TOC outside of what is before it. */
export async function readFooter(source: BlobSource): Promise<Footer | undefined> {
  const length = Math.min(FOOTER_LIMIT, source.size);
  const tail = Buffer.from(await source.read(source.size - length, length));
  for (const p of PATTERNS) {
    const digits = match(p, tail);
    if (digits === null) {
      continue;
    }
    const start = source.size - patternBytes(p);
    const tocOffset = p.digits === 0 ? start : Number.parseInt(digits, 16);
    if (p.digits > 0 && (tocOffset === 0 || tocOffset >= start)) {
      throw new CrfsError(
        'CRFS_BAD_LAYER',
        `${source.name}: the footer places the TOC at ${tocOffset}, outside of 1 to ${start - 1}`,
      );
    }
    return { kind: p.kind, start, tocOffset };
  }
  return undefined;
}
