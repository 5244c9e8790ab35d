// SPDX-License-Identifier: GPL-3.0-or-later

/** What is done to a mount by the kernel's overlay has the results that it has on an overlay over the extracted tree. */

import type { ExecutionContext } from 'ava';
import { DRIVERS, type Driver } from '../../src/main/mount/driver.js';
import { times } from '../faults/world.js';
import { Machine, mountingTest } from '../tools/machine.js';
import { type NastyLayer, namedTwice, nastyLayer } from '../tools/nasty-layer.js';
import { run } from '../tools/run.js';
import { compareTrees, describeTree, type Tree } from '../tools/tree.js';

const mounting = mountingTest();

/** Does random operations below a directory, and prints each, with what came of it. */
const OPERATE = `
import errno, hashlib, os, random, stat, sys
draw = random.Random(int(sys.argv[1]))
os.chdir(sys.argv[3])
known = [os.path.join(at, name) for at, below, files in os.walk(b".") for name in below + files]
known.sort()
def some(): # which mostly is still there
    for attempt in range(3):
        path = draw.choice(known)
        if os.path.lexists(path): break
    return path
def new():
    path = some()
    if os.path.islink(path) or not os.path.isdir(path): path = os.path.dirname(path)
    if draw.random() < 0.9: path = os.path.join(path, b"new-%d" % draw.randrange(400))
    known.append(path)
    return path
def regular(path, flags): # a device or a pipe is not opened
    mode = os.lstat(path).st_mode if os.path.lexists(path) else None
    if mode is not None and not stat.S_ISREG(mode): raise OSError(errno.ENXIO, "")
    return os.open(path, flags | os.O_NOFOLLOW, 0o640)
def using(fd, use):
    try: return use(fd)
    finally: os.close(fd)
def bytes_of(size):
    return bytes([draw.randrange(256)]) * size
def create(): return using(regular(new(), os.O_CREAT | os.O_WRONLY | draw.choice([0, os.O_EXCL, os.O_TRUNC])), lambda fd: os.write(fd, bytes_of(99)))
def write(): return using(regular(some(), os.O_RDWR), lambda fd: os.pwrite(fd, bytes_of(draw.randrange(9000)), draw.randrange(1 << 20)))
def append(): return using(regular(some(), os.O_WRONLY | os.O_APPEND), lambda fd: os.write(fd, bytes_of(5)))
def read(): return using(regular(some(), os.O_RDONLY), lambda fd: hashlib.sha256(os.pread(fd, 1 << 18, draw.randrange(1 << 20))).hexdigest())
def truncate(): return using(regular(some(), os.O_WRONLY), lambda fd: os.ftruncate(fd, draw.randrange(1 << 20)))
def chmod(path, mode): # of what a symlink leads to it would change that, out of the mount, too
    if os.path.islink(path): raise OSError(errno.EOPNOTSUPP, "")
    os.chmod(path, mode)
def unnamed():
    path, content = new(), bytes_of(77)
    def use(fd):
        os.write(fd, content)
        os.link(b"/proc/self/fd/%d" % fd, path, follow_symlinks=True)
    return using(os.open(os.path.dirname(path), os.O_TMPFILE | os.O_RDWR, 0o600), use)
operations = [
    create, create, write, append, read, truncate, unnamed,
    lambda: os.rename(some(), new()), lambda: os.rename(some(), some()),
    lambda: os.link(some(), new(), follow_symlinks=False), lambda: os.unlink(some()), lambda: os.unlink(some()),
    lambda: os.mkdir(new(), 0o710), lambda: os.rmdir(some()), lambda: os.symlink(some(), new()),
    lambda: os.mkfifo(new(), 0o600), lambda: sorted(os.listdir(some())),
    lambda: chmod(some(), draw.randrange(0o10000)) if draw.random() < 0.7 else os.utime(some(), (1, draw.randrange(10**9)), follow_symlinks=False),
    lambda: os.chown(some(), draw.randrange(99999), draw.randrange(99999), follow_symlinks=False),
    lambda: os.setxattr(some(), draw.choice(["user.a", "user.b", "trusted.c"]), bytes_of(draw.randrange(200)), follow_symlinks=False),
    lambda: os.removexattr(some(), draw.choice(["user.a", "user.b"]), follow_symlinks=False),
    lambda: [(name, os.getxattr(path, name, follow_symlinks=False)) for path in [some()] for name in sorted(os.listxattr(path, follow_symlinks=False))],
]
for n in range(int(sys.argv[2])):
    which = draw.randrange(len(operations))
    try: came = operations[which]()
    except OSError as error: came = errno.errorcode[error.errno]
    print(n, which, came)
`;

interface Place {
  readonly merged: string;
  readonly upper: string;
  readonly work: string;
}

function place(machine: Machine, name: string): Place {
  const [merged = '', upper = '', work = ''] = ['merged', 'upper', 'work'].map((part) =>
    machine.directory(`${name}/${part}`),
  );
  return { merged, upper, work };
}

async function withOurs<T>(machine: Machine, layer: string, where: Place, driver: Driver, use: () => Promise<T>) {
  const changes = ['--upper', where.upper, '--work', where.work];
  await machine.crfs('mount', layer, where.merged, ...changes, '--driver', driver);
  try {
    return await use();
  } finally {
    await run('umount', [where.merged]);
  }
}

async function withPlain<T>(lower: string, { merged, upper, work }: Place, use: () => Promise<T>): Promise<T> {
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  await run('mount', ['-t', 'overlay', 'plain', '-o', options, merged]);
  try {
    return await use();
  } finally {
    await run('umount', [merged]);
  }
}

/** The tree with all times since the test began made one. */
function withoutNow(tree: Tree, began: bigint): Tree {
  return new Map([...tree].map(([path, entry]) => [path, entry.mtime >= began ? { ...entry, mtime: began } : entry]));
}

async function compare(t: ExecutionContext, machine: Machine, nasty: NastyLayer, seed: number): Promise<void> {
  const began = BigInt(Date.now() - 1) * 1_000_000n;
  const [ours, plain] = [place(machine, `ours-${seed}`), place(machine, `plain-${seed}`)];
  const operate =
    ({ merged }: Place) =>
    async (): Promise<readonly [string[], Tree]> => {
      const done = String(await run('python3', ['-c', OPERATE, String(seed), '2000', merged]));
      return [done.trim().split('\n'), withoutNow(await describeTree(merged), began)];
    };
  const [oursDone, oursTree] = await withOurs(machine, nasty.layer, ours, 'overlay', operate(ours));
  const [plainDone, plainTree] = await withPlain(nasty.extracted, plain, operate(plain));
  t.is(plainDone.length, 2000);
  t.true(plainDone.filter((line) => !/ E[A-Z]+$/.test(line)).length > 1000, 'most come to something');
  t.deepEqual(
    oursDone.filter((line, n) => line !== plainDone[n]),
    [],
    `seed ${seed}`,
  );
  const options = { ignoreMtimeOf: nasty.timeless };
  const differences = (tree: Tree): string[] => {
    return compareTrees(tree, plainTree, options).filter((line) => !namedTwice.includes(line));
  };
  t.deepEqual(differences(oursTree), [], `seed ${seed}`);
  for (const driver of DRIVERS) {
    const again = await withOurs(machine, nasty.layer, ours, driver, () => describeTree(ours.merged));
    const others = differences(withoutNow(again, began)).filter((line) => {
      return driver === 'overlay' || !line.includes(': nlink is '); // fuse-overlayfs counts the names that it has seen
    });
    t.deepEqual(others, [], `seed ${seed}, mounted again by ${driver}`);
  }
}

mounting('random operations do over a layer what they do over the extracted tree, and last', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const nasty = await nastyLayer();
  for (let seed = 1; seed <= times(1, 50); seed++) await compare(t, machine, nasty, seed);
});
