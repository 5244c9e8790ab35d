// SPDX-License-Identifier: GPL-3.0-or-later

/** A read waits for the chunks that it touches, and for nothing else; whatever reads, the bytes are right. */

import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { noise } from '../tools/content.js';
import { Gate } from '../tools/gate.js';
import { anyDriver, eachDriver, until, whyNoMounts } from '../tools/machine.js';
import { missing } from '../tools/registry.js';
import { draftsOf, MIB, onlyThese, remoteLayer, THREADED } from '../tools/remote-layer.js';
import { run } from '../tools/run.js';

const mounting = eachDriver(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));
const shared = anyDriver(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

mounting(
  'a read in the middle of a large file fetches the chunk that it touches, and waits for no other',
  async (t) => {
    const chunkSize = 4 * MIB;
    const large = noise(6 * chunkSize);
    const layer = await remoteLayer(t, { large }, { chunkSize });
    const { proxy, mount, chunks } = layer;
    const [touched] = chunks('large').slice(2);
    if (touched === undefined) throw new Error('the file has too few chunks');
    const gate = new Gate();
    t.teardown(() => gate.open());
    proxy.fault = onlyThese(gate, touched);
    const dd = ['bs=1M', 'count=1', 'skip=9', 'status=none', `if=${join(mount.merged, 'large')}`];
    t.true((await run('dd', dd)).equals(large.subarray(9 * MIB, 10 * MIB)));
    t.true(proxy.sent <= touched.end - touched.from, `${proxy.sent} bytes came`);
    t.is(gate.arrivals, 0, 'nothing else was asked for');
    t.deepEqual(draftsOf(layer, 6), [[false, false, true, false, false, false]]);
    proxy.fault = () => undefined;
    t.true((await readFile(join(mount.merged, 'large'))).equals(large));
    t.deepEqual(draftsOf(layer, 6), [], 'what is whole is an object');
  },
);

/** Readers that wait at a time: from version 3.12, libfuse has ten threads for all that a host does. */
const READERS = 8;

mounting('while readers of cold files wait, each for its own, all other files open and read', async (t, driver) => {
  const cold = new Map(Array.from({ length: READERS }, (_, n) => [`cold-${n}`, noise(3 * MIB, n)]));
  const others = { cached: noise(3 * MIB, 99), small: noise(40_000, 98) };
  const { machine, proxy, mount, span } = await remoteLayer(t, { ...Object.fromEntries(cold), ...others });
  const path = (name: string): string => join(mount.merged, name);
  t.true((await readFile(path('cached'))).equals(others.cached));
  const gate = new Gate();
  t.teardown(() => gate.open());
  proxy.fault = onlyThese(gate, span('small'));
  const readings = [...cold].map(([name, content]) => {
    const dd = ['bs=4k', 'count=1', 'skip=1', 'iflag=direct', 'status=none', `if=${path(name)}`];
    return run('dd', dd).then((bytes) => t.true(bytes.equals(content.subarray(4096, 8192)), name));
  });
  await until('the registry is asked for all of them', () => gate.arrivals >= READERS);
  t.true((await readFile(path('cached'))).equals(others.cached));
  t.true((await readFile(path('small'))).equals(others.small));
  gate.open();
  await Promise.all(readings);
  const status = await machine.status();
  t.like(status?.opens, {
    errors: 0,
    ...(driver === 'overlay' ? { misses: READERS + 2, hits: 0 } : { lazyOpens: READERS + 1 }),
  });
  t.is(status?.mounts[0]?.wholeFiles, null);
});

mounting('a hundred readers, more than the host has threads, all read in the end', async (t) => {
  const cold = new Map(Array.from({ length: 3 * READERS + 1 }, (_, n) => [`cold-${n}`, noise(2 * MIB, n)]));
  const cached = noise(2 * MIB, 99);
  const { proxy, mount } = await remoteLayer(t, { ...Object.fromEntries(cold), cached });
  t.true((await readFile(join(mount.merged, 'cached'))).equals(cached));
  const gate = new Gate();
  t.teardown(() => gate.open());
  proxy.fault = onlyThese(gate);
  const read = [...cold, ...cold, ...cold, ...cold, ['cached', cached] as const];
  const crowd = ['-c', 'for file; do sha256sum "$file" & done; wait', 'sh', ...read.map(([name]) => name)];
  const reading = run('sh', crowd, { cwd: mount.merged });
  await until('many of them wait', () => gate.arrivals >= READERS);
  gate.open();
  const lines = read.map(([name, content]) => `${createHash('sha256').update(content).digest('hex')}  ${name}`);
  t.deepEqual(
    String(await reading)
      .trim()
      .split('\n')
      .sort(),
    lines.sort(),
  );
});

shared('a reader that goes on from chunk to chunk, all of which are there, has the next ones fetched', async (t) => {
  const large = noise(24 * MIB);
  const layer = await remoteLayer(t, { large });
  const { proxy, mount, chunks } = layer;
  const gate = new Gate(); // so that the file stays a draft, which tells what is there
  t.teardown(() => gate.open());
  proxy.fault = onlyThese(gate, { from: 0, end: chunks('large')[19]?.end ?? 0 });
  const file = await open(join(mount.merged, 'large'), constants.O_RDONLY | constants.O_DIRECT);
  t.teardown(() => file.close());
  for (let chunk = 0; chunk < 16; chunk++) {
    const ahead = chunk + 2; // farther than what the reader tells that it will want
    if (chunk >= 2) await until(`chunk ${ahead} is there`, () => draftsOf(layer, 24)[0]?.[ahead] === true);
    const { buffer } = await file.read(Buffer.alloc(4096), 0, 4096, chunk * MIB);
    t.true(buffer.equals(large.subarray(chunk * MIB, chunk * MIB + 4096)));
  }
});

for (const workers of [1, 2]) {
  shared(`many requests of several chunks at once are all served: ${workers} workers`, async (t) => {
    const files = new Map(Array.from({ length: 6 }, (_, n) => [`large-${n}`, noise(4 * MIB, n)]));
    const settings = { CRFS_WORKERS: String(workers) };
    const layer = await remoteLayer(t, Object.fromEntries(files), { chunkSize: 64 << 10, settings, options: THREADED });
    const readings = [...files, ...files].map(([name, content]) => {
      const dd = ['bs=1M', 'iflag=direct', 'status=none', `if=${join(layer.mount.merged, name)}`];
      return run('dd', dd).then((bytes) => t.true(bytes.equals(content), name));
    });
    await Promise.all(readings);
    t.is((await layer.machine.status())?.opens.errors, 0);
    t.notRegex(layer.machine.log, /worker died|daemon fails/);
  });
}

const PYTHON = {
  mapped: 'import mmap; data = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); out.write(data[::-1][::-1])',
  'mapped from the end':
    'import mmap; data = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)\nout.write(b"".join([data[at:at+70001] for at in range(0, len(data), 70001)[::-1]][::-1]))',
  'sent by sendfile': 'import os; out.flush()\nwhile os.sendfile(1, f.fileno(), None, 1 << 20): pass',
};

const readers: Readonly<Record<string, (path: string) => Promise<Buffer>>> = {
  ...Object.fromEntries(
    Object.entries(PYTHON).map(([how, code]) => [
      how,
      (path: string) =>
        run('python3', ['-c', `import sys; out = sys.stdout.buffer; f = open(sys.argv[1], "rb")\n${code}`, path]),
    ]),
  ),
  'copied by cp': (path) =>
    run('sh', ['-c', 'copy=$(mktemp) && cp "$1" "$copy" && cat "$copy" && rm "$copy"', 'sh', path]),
  'read by cat': (path) => run('cat', [path]),
  'read past the page cache': (path) => run('dd', ['bs=1M', 'iflag=direct', 'status=none', `if=${path}`]),
  'read by odd pieces': (path) => run('dd', ['bs=99991', 'status=none', `if=${path}`]),
};

mounting('a cold file reads right, however it is read', async (t) => {
  const files = new Map(Object.keys(readers).map((how, n) => [how, noise(3 * MIB + 12_345, n)]));
  const { mount } = await remoteLayer(t, Object.fromEntries(files));
  for (const [how, content] of files) t.true((await readers[how]?.(join(mount.merged, how)))?.equals(content), how);
});

mounting('a large program that is cold runs', async (t) => {
  const python = await readFile('/usr/bin/python3');
  t.true(python.length > MIB);
  const { mount } = await remoteLayer(t, { python });
  const program = join(mount.merged, 'python'); // started by a shell: this process, which is the network, would wait for it
  t.is(String(await run('sh', ['-c', '"$@"', 'sh', program, '-c', 'print(6 * 7)'])), '42\n');
});
