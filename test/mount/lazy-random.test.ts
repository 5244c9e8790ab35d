// SPDX-License-Identifier: GPL-3.0-or-later

/** Readers that jump about in large files, while all that they read from goes away under them, again and again. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { daemonOf, dropDrafts, dropObjects, gone, times } from '../faults/world.js';
import { noise } from '../tools/content.js';
import { eachDriver, until, whyNoMounts } from '../tools/machine.js';
import { missing } from '../tools/registry.js';
import { MIB, remoteLayer, THREADED } from '../tools/remote-layer.js';
import { run } from '../tools/run.js';

const lacking = missing.length > 0 ? `no ${missing.join(', no ')}` : undefined;
const both = eachDriver(whyNoMounts() ?? lacking);

/** Reads pieces of files in a directory, past the page cache and not, and holds them against those of another one. */
const READER = `
import mmap, os, random, sys
mounted, plain, seed, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
draw = random.Random(seed)
files = []
for name in sorted(os.listdir(plain)):
    content = open(os.path.join(plain, name), "rb").read()
    path = os.path.join(mounted, name)
    files.append((name, content, os.open(path, os.O_RDONLY), os.open(path, os.O_RDONLY | os.O_DIRECT)))
buffer = mmap.mmap(-1, 1 << 20)
for n in range(count):
    name, content, fd, direct = draw.choice(files)
    size = 4096 * draw.randint(1, 64)
    at = 4096 * draw.randrange(len(content) // 4096)
    if draw.random() < 0.7:
        got = bytes(memoryview(buffer)[:os.preadv(direct, [memoryview(buffer)[:size]], at)])
    else:
        at += draw.randint(0, 4095)
        got = os.pread(fd, size, at)
    if got != content[at:at + len(got)] or (len(got) < size and at + len(got) != len(content)):
        sys.exit(f"reader {seed}, read {n}: {len(got)} bytes of {name} at {at} are wrong")
`;

both('random reads are right while daemons are killed, and drafts and objects removed', async (t, driver) => {
  const files = Object.fromEntries(Array.from({ length: 4 }, (_, n) => [`large-${n}`, noise(4 * MIB + 999 * n, n)]));
  const { machine, image, mount: first } = await remoteLayer(t, files, { chunkSize: 200_000 });
  const plain = machine.directory('plain');
  for (const [name, content] of Object.entries(files)) writeFileSync(join(plain, name), content);
  const asked = async (): Promise<number> => (await machine.status())?.counters.requests ?? 0;
  await first.unmount();
  const rounds = driver === 'overlay' ? times(10, 200) : times(3, 60);
  for (let round = 0; round < rounds; round++) {
    const mount = await machine.mount([image], { options: THREADED }); // the kernel has nothing of it yet
    dropObjects(machine);
    dropDrafts(machine);
    const before = await asked();
    const readers = Promise.all(
      Array.from({ length: 4 }, (_, reader) => {
        return run('python3', ['-c', READER, mount.merged, plain, String(4 * round + reader), '100']);
      }),
    );
    readers.catch(() => undefined); // it is met below
    await until('they have begun', async () => (await asked()) > before);
    dropDrafts(machine);
    await until('they go on', async () => (await asked()) > before + 10);
    const daemon = await daemonOf(machine);
    process.kill(daemon, 'SIGKILL');
    await gone(daemon);
    dropObjects(machine);
    dropDrafts(machine);
    await t.notThrowsAsync(readers, machine.log.split('\n').slice(-20).join('\n'));
    await mount.unmount();
  }
});
