// SPDX-License-Identifier: GPL-3.0-or-later

/** Files that no memory holds: right bytes, in memory that does not grow with them. With CRFS_TEST_LONG=1 up to 16 GiB. */

import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { fileSink } from '../../src/main/blob/file-sink.js';
import { convertLayer } from '../../src/main/convert/layer.js';
import { daemonOf, times } from '../faults/world.js';
import { noise } from '../tools/content.js';
import { deflater } from '../tools/layers.js';
import { Machine, mountingTest } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { fileHeader, tarEnd, tarEntry } from '../tools/tar-writer.js';

const mounting = mountingTest();

const PAGE = 4096;
const MIB = 1 << 20;

/** Bytes of a file of zeros in which each page begins with its number: it compresses to little, and no two pages are alike. */
function stamped(at: number, length: number): Buffer {
  const first = Math.floor(at / PAGE);
  const pages = Buffer.alloc(Math.ceil((at + length) / PAGE) * PAGE - first * PAGE);
  for (let page = 0; page < pages.length / PAGE; page++) pages.writeDoubleLE(first + page, page * PAGE);
  return pages.subarray(at - first * PAGE, at - first * PAGE + length);
}

interface Large {
  readonly path: string;
  readonly host: number;
  readonly daemon: number;
  readonly size: number;
  readonly sha256: string;
}

/** Mounts a layer of one such file, of a multiple of 512 bytes; and so many directories that its last member goes on for a megabyte. */
async function mountLarge(t: ExecutionContext, size: number, chunkSize: number): Promise<Large> {
  const place = mkdtempSync(join(tmpdir(), 'crfs-large-'));
  t.teardown(() => rmSync(place, { recursive: true }));
  const hash = createHash('sha256');
  async function* tar(): AsyncGenerator<Uint8Array> {
    yield fileHeader('large', size);
    for (let at = 0; at < size; at += MIB) {
      const piece = stamped(at, Math.min(MIB, size - at));
      hash.update(piece);
      yield piece;
    }
    for (let d = 0; d < 2500; d++) yield tarEntry({ name: `behind-${d}/`, type: '5' });
    yield tarEnd;
  }
  const layer = join(place, 'large.esgz');
  const file = await open(layer, 'w');
  await convertLayer(tar(), fileSink(file), { name: 'large', deflater, chunkSize });
  await file.close();
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const mount = await machine.mount([layer], { foreground: true });
  const path = join(mount.merged, 'large');
  return { path, host: mount.host?.pid ?? 0, daemon: await daemonOf(machine), size, sha256: hash.digest('hex') };
}

/** Bytes of memory that a process has had at most, what it maps of files included. */
function mostMemory(pid: number): number {
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

function tellMemory(t: ExecutionContext, { host, daemon }: Large, most: { host: number; daemon: number }): void {
  const had = { host: mostMemory(host), daemon: mostMemory(daemon) };
  t.log(`at most: host ${Math.round(had.host / MIB)} MiB, daemon ${Math.round(had.daemon / MIB)} MiB`);
  t.true(had.host <= most.host && had.daemon <= most.daemon);
}

const FILES = [
  { title: 'a large file', size: times(40 * MIB + 1024, 4_000_000_000), chunk: 4 * MIB, daemon: 400 * MIB },
  {
    title: 'a file of large chunks',
    size: times(150 * MIB, 600 * MIB),
    chunk: times(64, 256) * MIB,
    daemon: times(500, 1200) * MIB,
  },
];

for (const { title, size, chunk, daemon } of FILES) {
  mounting(`${title} reads right from its beginning to its end, in bounded memory`, async (t) => {
    const large = await mountLarge(t, size, chunk);
    t.is(String(await run('sha256sum', [large.path])).split(' ')[0], large.sha256);
    tellMemory(t, large, { host: 40 * MIB, daemon });
  });
}

mounting('a large file reads right at random places, in bounded memory', async (t) => {
  const chunk = 4 * MIB;
  const large = await mountLarge(t, times(24, 4096) * chunk - 512, chunk);
  const file = await open(large.path);
  t.teardown(() => file.close());
  const draw = noise(2000).buffer;
  const somewhere = [...new Uint32Array(draw, 0, 100)].map((number) => Math.floor((number / 2 ** 32) * large.size));
  for (const at of [large.size - 1, 0, chunk - 1, large.size - chunk, ...somewhere]) {
    const expected = stamped(at, Math.min(100_000, large.size - at));
    const { buffer, bytesRead } = await file.read(Buffer.alloc(expected.length), 0, expected.length, at);
    t.is(bytesRead, expected.length);
    t.true(buffer.equals(expected), `at ${at}`);
  }
  tellMemory(t, large, { host: 40 * MIB, daemon: 400 * MIB });
});
