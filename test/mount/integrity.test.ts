// SPDX-License-Identifier: GPL-3.0-or-later

/** What is wrong is never shown: corrupt layers, wrong digests, files that shrink, processes that die. */

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { ExecutionContext } from 'ava';

import { dropObjects, killDaemons, objectsOf, temporaries } from '../faults/world.js';
import { noise, text } from '../tools/content.js';
import { extractTar } from '../tools/extract.js';
import { makeLayer } from '../tools/layers.js';
import { anyDriver, eachDriver, Machine, mountingTest, until } from '../tools/machine.js';
import { once as made } from '../tools/once.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { compareTrees, describeTree } from '../tools/tree.js';

const mounting = mountingTest();
const both = eachDriver();
const shared = anyDriver();

const contents: Readonly<Record<string, Buffer>> = {
  first: text(100_000),
  small: noise(50_000, 1),
  large: noise(9_000_000, 2),
  last: text(200_000),
};

/** A machine that fills what is asked for and nothing else, with one layer. */
async function prepare(t: ExecutionContext) {
  const machine = new Machine({ CRFS_READAHEAD: '0', CRFS_BACKGROUND: 'off' });
  t.teardown(() => machine.dispose());
  const layer = join(machine.directory('layers'), 'layer.esgz');
  copyFileSync(await oneLayer(), layer); // tests damage it
  return { machine, layer };
}

/** Made once for all machines. */
const oneLayer = made(async () => {
  const machine = new Machine();
  process.once('exit', () => rmSync(machine.root, { recursive: true }));
  return await layerOf(machine, 'layer', contents);
});

async function layerOf(machine: Machine, name: string, files: Readonly<Record<string, Buffer>>): Promise<string> {
  const tar = join(machine.directory('tars'), `${name}.tar`);
  writeTar(
    tar,
    Object.entries(files).map(([file, content]) => ({ name: file, content })),
  );
  return await makeLayer(tar);
}

/** Reads all files of the layer. Returns what came of each: 'right', 'wrong', or the code of the error. */
function readAll(merged: string): Record<string, string> {
  const outcomes = Object.entries(contents).map(([name, content]) => {
    try {
      return [name, readFileSync(join(merged, name)).equals(content) ? 'right' : 'wrong'];
    } catch (error) {
      return [name, (error as NodeJS.ErrnoException).code ?? String(error)];
    }
  });
  return Object.fromEntries(outcomes) as Record<string, string>;
}

const allRight = { first: 'right', small: 'right', large: 'right', last: 'right' };

/** The TOC of a layer, and where it stands: eStargz specification, "Footer". */
function readToc(bytes: Buffer): { readonly at: number; readonly toc: string } {
  const at = Number.parseInt(bytes.toString('latin1', bytes.length - 51 + 16, bytes.length - 51 + 32), 16);
  return { at, toc: gunzipSync(bytes.subarray(at, bytes.length - 51)).toString('latin1') };
}

/** Replaces text in the TOC of a layer, by text of the same length. */
function editToc(layer: string, edit: (toc: string) => string): void {
  const bytes = readFileSync(layer);
  const { at, toc } = readToc(bytes);
  const edited = gzipSync(Buffer.from(edit(toc), 'latin1'));
  writeFileSync(layer, Buffer.concat([bytes.subarray(0, at), edited, bytes.subarray(-51)]));
}

/** Changes one bit of a member of a file, the first one unless told. */
function damage(layer: string, file: string, member = 0): void {
  const bytes = readFileSync(layer);
  const entries = readToc(bytes).toc.matchAll(new RegExp(`"name":"${file}".*?"offset":(\\d+)`, 'g'));
  const offset = [...entries][member]?.[1];
  const place = Number(offset) + 20_000;
  bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place);
  writeFileSync(layer, bytes);
}

for (const damaged of ['small', 'large'] as const) {
  shared(`a byte that is wrong inside a member fails its file alone: ${damaged}`, async (t) => {
    const { machine, layer } = await prepare(t);
    damage(layer, damaged);
    const { merged } = await machine.mount([layer]);
    for (let round = 1; round <= 2; round++) {
      t.deepEqual(readAll(merged), { ...allRight, [damaged]: 'EIO' });
      const status = await machine.status();
      const { counters, opens } = status ?? {};
      const failed = (counters?.errors ?? 0) + (counters?.digestErrors ?? 0);
      t.true(failed >= round, 'the kernel asks for a page again before it gives up on it');
      t.true((opens?.errors ?? 0) >= round, 'as many, but for reads that waited together, or were not counted yet');
    }
    const line = machine.log.split('\n').find((logged) => logged.includes('cannot serve')) ?? '{}';
    t.like(JSON.parse(line), { layer, path: damaged });
  });
}

const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** The name of the object of a file in chunks of 4 MiB. */
function nameOfChunks(content: Buffer): string {
  const hash = createHash('sha256').update('crfs-chunks\0');
  for (let at = 0; at < content.length; at += 4 << 20) {
    const chunk = content.subarray(at, at + (4 << 20));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(chunk.length));
    hash.update(size).update(createHash('sha256').update(chunk).digest());
  }
  return `${hash.digest('hex')}-named`;
}

const wrongDigests: Readonly<Record<string, readonly [file: string, part: Buffer]>> = {
  'a file': ['small', contents['small'] as Buffer],
  'a chunk': ['large', (contents['large'] as Buffer).subarray(4 << 20, 8 << 20)],
};

for (const [what, [file, part]] of Object.entries(wrongDigests)) {
  shared(`content that does not match the digest of ${what} is not served`, async (t) => {
    const { machine, layer } = await prepare(t);
    const digest = sha256(part);
    editToc(layer, (toc) => {
      t.true(toc.includes(digest));
      return toc.replaceAll(
        digest,
        digest.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
      );
    });
    const { merged } = await machine.mount([layer]);
    for (let round = 1; round <= 2; round++) {
      t.deepEqual(readAll(merged), { ...allRight, [file]: 'EIO' });
      const { errors, digestErrors } = (await machine.status())?.counters ?? {};
      t.is(errors, 0);
      t.true((digestErrors ?? 0) >= round);
      t.is(objectsOf(machine).length, 3, 'what is wrong is not kept');
      t.deepEqual(temporaries(machine), [], 'nor what was filled of it');
    }
    const line = machine.log.split('\n').find((logged) => logged.includes('cannot serve')) ?? '{}';
    t.like(JSON.parse(line), { layer, path: file, code: 'CRFS_DIGEST' });
  });
}

for (const chunk of [0, 1, 2]) {
  const mounts = chunk === 1 ? both : shared;
  mounts(
    `of a file that has one digest for all its chunks nothing is shown if one is wrong: number ${chunk}`,
    async (t) => {
      const { machine, layer } = await prepare(t);
      editToc(layer, (toc) => toc.replaceAll('"chunkDigest"', '"noChunkHash"'));
      damage(layer, 'large', chunk);
      const { merged } = await machine.mount([layer], { options: ['fast_ino=1', 'threaded=1'] });
      const read = (at: number): string => {
        const bytes = Buffer.alloc(4096);
        const fd = openSync(join(merged, 'large'), 'r');
        try {
          readSync(fd, bytes, 0, bytes.length, at);
          return bytes.equals((contents['large'] as Buffer).subarray(at, at + bytes.length)) ? 'right' : 'wrong';
        } finally {
          closeSync(fd);
        }
      };
      for (const at of [0, 5 << 20, 8_900_000]) t.throws(() => read(at), { code: 'EIO' }, String(at));
      t.deepEqual(readAll(merged), { ...allRight, large: 'EIO' });
    },
  );
}

both('a layer file that is cut while it is mounted fails what was cut off', async (t) => {
  const { machine, layer } = await prepare(t);
  const { merged } = await machine.mount([layer]);
  truncateSync(layer, 1_000_000);
  t.deepEqual(readAll(merged), { ...allRight, large: 'EIO', last: 'EIO' });
});

mounting('a file that two layers have is filled once', async (t) => {
  const { machine, layer } = await prepare(t);
  const other = await layerOf(machine, 'other', { 'elsewhere/large': contents['large'] as Buffer });
  const first = await machine.mount([layer]);
  const second = await machine.mount([other]);
  t.true(readFileSync(join(first.merged, 'large')).equals(contents['large'] as Buffer));
  t.true(readFileSync(join(second.merged, 'elsewhere/large')).equals(contents['large'] as Buffer));
  t.is((await machine.status())?.counters.objects, 1);
  t.deepEqual(
    objectsOf(machine).map((path) => basename(path)),
    [nameOfChunks(contents['large'] as Buffer)],
  );
});

mounting('daemons that are killed under 16 readers leave nothing wrong behind', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const files = Array.from({ length: 300 }, (_, n) => [
    `file-${n}`,
    noise(n % 100 === 0 ? 9_000_000 : 40_000, n & 255),
  ]);
  const tar = join(machine.root, 'tars/many.tar');
  const layer = await layerOf(machine, 'many', Object.fromEntries(files) as Record<string, Buffer>);
  const extracted = machine.directory('extracted');
  await extractTar(tar, extracted);
  const { merged } = await machine.mount([layer], { options: ['fast_ino=1', 'threaded=1'] });
  const expected = await describeTree(extracted);
  const killed = new Set<number>();
  while (killed.size < 4) {
    dropObjects(machine);
    const shown = await killDaemons(machine, killed, 100, () => describeTree(merged, { readers: 16 }));
    t.deepEqual(compareTrees(shown, expected, { ignoreMtimeOf: ['.'] }), []);
  }
  const objects = objectsOf(machine);
  t.true(objects.length > 0);
  for (const path of objects) {
    const content = readFileSync(path);
    t.is(basename(path), content.length > 4 << 20 ? nameOfChunks(content) : sha256(content));
  }
});

mounting('a mount that is killed while it reads disturbs no other', async (t) => {
  const { machine, layer } = await prepare(t);
  const doomed = await machine.mount([layer], { foreground: true, options: ['threaded=1'] });
  const other = await machine.mount([layer]);
  const readers = ['large', 'last'].map((name) => run('sha256sum', [join(doomed.merged, name)]).catch(() => undefined));
  await until('it reads', async () => ((await machine.status())?.counters.requests ?? 0) > 0);
  doomed.host?.kill('SIGKILL');
  if (doomed.host) await once(doomed.host, 'exit');
  await Promise.all(readers);
  t.deepEqual(readAll(other.merged), allRight);
  await until('the daemon has let go of the dead mount', async () => (await machine.status())?.mounts.length === 1);
  t.deepEqual(
    (await machine.status())?.layers.map(({ mounts }) => mounts),
    [1],
  );
});
