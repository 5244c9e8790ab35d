// SPDX-License-Identifier: GPL-3.0-or-later

/** TOCs with something wrong somewhere: each is indexed, or refused by one clear error. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { CrfsError } from '../../src/main/errors/error.js';
import { readToc } from '../../src/main/formats/estargz/toc.js';
import { buildBoth } from '../tools/native-index.js';
import { blobOf, estargzFooter, type Fields, tailSource } from '../tools/toc.js';

const ROUNDS = 500;
const TOC_OFFSET = 2_386_549;
const tail = readFileSync(fileURLToPath(new URL('../../../test/fixtures/interop/basic.estargz.tail', import.meta.url)));

/** A generator of integers in [0, limit), the same for equal seeds. */
function random(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** What happened to a TOC, in a word; throws if it was neither indexed nor refused. */
async function outcome(json: Uint8Array, path: string): Promise<string> {
  try {
    await buildBoth(await blobOf(Buffer.from(json), TOC_OFFSET), path, '');
    rmSync(path);
    return 'indexed';
  } catch (error) {
    if (error instanceof CrfsError && error.code === 'CRFS_BAD_LAYER' && !error.message.includes('\n')) {
      return 'refused';
    }
    throw error;
  }
}

async function tryAll(
  change: (json: string, next: (limit: number) => number) => Uint8Array,
): Promise<Map<string, number>> {
  const place = mkdtempSync(join(tmpdir(), 'crfs-mutations-'));
  const good = await text(
    readToc(tailSource(tail, TOC_OFFSET), TOC_OFFSET, TOC_OFFSET + tail.length - estargzFooter().length),
  );
  const outcomes = new Map<string, number>();
  for (let seed = 0; seed < ROUNDS; seed++) {
    const what = await outcome(change(good, random(seed)), join(place, 'index'));
    outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
  }
  rmSync(place, { recursive: true });
  return outcomes;
}

test('a TOC with some bytes changed is indexed or refused', async (t) => {
  const outcomes = await tryAll((json, next) => {
    const bytes = Buffer.from(json);
    for (let i = next(4); i >= 0; i--) bytes[next(bytes.length)] = next(3) === 0 ? next(256) : 0x20 + next(0x5f);
    return bytes;
  });
  t.true((outcomes.get('indexed') ?? 0) > 20);
  t.true((outcomes.get('refused') ?? 0) > 20);
});

const NUMBERS = [0, 1, -1, 0.5, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1e300, TOC_OFFSET];
const TEXTS = ' . .. / app app/main.py app/x/y reg dir chunk hardlink symlink char __proto__ sha256: \0 \ud800'.split(
  ' ',
);
const LONG = ['x'.repeat(256), `sha256:${'0'.repeat(64)}`, '2017-07-14T02:40:00Z'];
const VALUES = [...NUMBERS, ...TEXTS, ...LONG, null, true, [], {}, [[]], { a: 'dg==' }];

test('a TOC with some fields changed is indexed or refused', async (t) => {
  const outcomes = await tryAll((json, next) => {
    const toc = JSON.parse(json) as { entries: Fields[] };
    const fields = [...new Set(toc.entries.flatMap((entry) => Object.keys(entry))), 'innerOffset'];
    for (let i = next(3); i >= 0; i--) {
      const at = next(toc.entries.length);
      const field = fields[next(fields.length)] as string;
      toc.entries[at] = { ...toc.entries[at], [field]: VALUES[next(VALUES.length)] };
    }
    return Buffer.from(JSON.stringify(toc));
  });
  t.true((outcomes.get('indexed') ?? 0) > 20);
  t.true((outcomes.get('refused') ?? 0) > 20);
});

test('a TOC with entries moved, repeated and left out is indexed or refused', async (t) => {
  const outcomes = await tryAll((json, next) => {
    const toc = JSON.parse(json) as { entries: Fields[] };
    for (let i = next(6); i >= 0; i--) {
      const [entry] = toc.entries.splice(next(toc.entries.length), next(2)) as (Fields | undefined)[];
      const copies = entry === undefined ? [toc.entries[next(toc.entries.length)] as Fields] : [entry].slice(next(2));
      toc.entries.splice(next(toc.entries.length), 0, ...copies);
    }
    return Buffer.from(JSON.stringify(toc));
  });
  t.true((outcomes.get('indexed') ?? 0) > 20);
  t.true((outcomes.get('refused') ?? 0) > 20);
});
