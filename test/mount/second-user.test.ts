// SPDX-License-Identifier: GPL-3.0-or-later

/** What an ordinary second user sees, and may do, on a mount of root's: as on one of the extracted tree, by the same driver. */

import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Driver } from '../../src/main/mount/driver.js';
import { extractTar } from '../tools/extract.js';
import { makeLayer } from '../tools/layers.js';
import { eachDriver, Machine, until } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { type TarEntry, writeTar } from '../tools/tar-writer.js';
import { compareTrees, describeTree, type Tree } from '../tools/tree.js';

const mounting = eachDriver();

/** The second user, a group that it is in, and somebody else. */
const USER = 40_001;
const GROUP = 40_002;
const OTHER = 40_003;

const owned = { root: { uid: 0, gid: 0 }, user: { uid: USER, gid: USER }, other: { uid: OTHER, gid: OTHER } };
const mtime = 1_500_000_000;

/** A directory with a file of each owner, for each mode that files have. */
function directoryOf(name: string, mode: number, owner: { uid: number; gid: number }): TarEntry[] {
  const files = Object.entries(owned).flatMap(([whose, ids]) =>
    [0o600, 0o644, 0o666].map((bits): TarEntry => {
      const path = `${name}/${bits.toString(8)}-of-${whose}`;
      return { name: path, mtime, mode: bits, ...ids, content: `content of ${path}\n` };
    }),
  );
  return [{ name: `${name}/`, type: '5', mtime, mode, ...owner }, ...files];
}

const program = { mtime, content: readFileSync('/usr/bin/id') };
const entries: readonly TarEntry[] = [
  ...directoryOf('plain', 0o755, owned.root),
  ...directoryOf('own', 0o755, owned.user),
  ...directoryOf('tmp', 0o1777, owned.root), // of which nothing is changed before others' files are moved and removed
  ...directoryOf('sticky', 0o1777, owned.root),
  ...directoryOf('open', 0o777, owned.other),
  ...directoryOf('inherited', 0o2777, { uid: OTHER, gid: GROUP }),
  ...directoryOf('private', 0o700, owned.root),
  ...directoryOf('blind', 0o711, owned.root), // may be passed through, and not listed
  ...directoryOf('listed', 0o744, owned.root), // the other way round
  { name: 'group/', type: '5', mtime, mode: 0o755, ...owned.root },
  { name: 'group/in', mtime, mode: 0o660, uid: 0, gid: GROUP, content: 'for the group\n' },
  { name: 'group/out', mtime, mode: 0o606, uid: 0, gid: GROUP, content: 'for all but the group\n' },
  { name: 'programs/', type: '5', mtime, mode: 0o755, ...owned.root },
  { ...program, name: 'programs/id', mode: 0o755, ...owned.root },
  { ...program, name: 'programs/id-of-root', mode: 0o4755, ...owned.root },
  { ...program, name: 'programs/id-of-other', mode: 0o6755, ...owned.other },
  { ...program, name: 'programs/id-for-none', mode: 0o4754, ...owned.root },
  { name: 'links/', type: '5', mtime, mode: 0o1777, ...owned.root },
  { name: 'links/to-private', type: '2', mtime, linkname: '../private/644-of-root', ...owned.other },
  { name: 'links/to-plain', type: '2', mtime, linkname: '../plain/644-of-root', ...owned.other },
  { name: 'links/hard', type: '1', linkname: 'plain/666-of-other' },
  { name: 'devices/', type: '5', mtime, mode: 0o755, ...owned.root },
  { name: 'devices/zero', type: '3', mtime, mode: 0o666, devmajor: 1, devminor: 5, ...owned.root },
  { name: 'devices/full', type: '3', mtime, mode: 0o600, devmajor: 1, devminor: 7, ...owned.root },
  { name: 'devices/pipe', type: '6', mtime, mode: 0o622, ...owned.root },
  { name: 'marked', mtime, mode: 0o644, ...owned.root, content: 'x', xattrs: { 'user.a': 'b', 'trusted.a': 'b' } },
];

/** Tries everything on each of the names that it is told, and prints what came of it. */
const TRY = `
import errno, os, stat, subprocess, sys
os.umask(0o022)
os.chdir(sys.argv[1])
names = sys.argv[2:]
def told(name, what, do):
    try: came = do()
    except OSError as error: came = errno.errorcode[error.errno]
    print(name, what, came)
def using(fd, use):
    try: return use(fd)
    finally: os.close(fd)
def described(name):
    st = os.lstat(name)
    return oct(st.st_mode), st.st_uid, st.st_gid, None if stat.S_ISDIR(st.st_mode) else (st.st_size, st.st_nlink, st.st_rdev)
def opened(name, flags, use):
    return using(os.open(name, flags | os.O_NONBLOCK, 0o666), use)
def run(name): return subprocess.run([name], stdout=subprocess.PIPE, env={"LC_ALL": "C"}).stdout
for name in names:
    told(name, "stat", lambda: described(name))
    told(name, "access", lambda: [os.access(name, way) for way in (os.R_OK, os.W_OK, os.X_OK)])
    told(name, "read", lambda: opened(name, os.O_RDONLY, lambda fd: os.read(fd, 99)[:99 if "id" not in name else 4]))
    told(name, "list", lambda: sorted(os.listdir(name)))
    told(name, "readlink", lambda: os.readlink(name))
    told(name, "attributes", lambda: sorted(os.listxattr(name, follow_symlinks=False)))
    told(name, "attribute", lambda: os.getxattr(name, "trusted.a"))
    if name.startswith("programs/") : told(name, "run", lambda: run(name))
for name in names:
    if not name.startswith("tmp/"): continue
    told(name, "move", lambda: os.rename(name, "tmp/moved"))
    told(name, "unlink", lambda: os.unlink(name))
for name in names:
    told(name, "write", lambda: opened(name, os.O_WRONLY | os.O_APPEND, lambda fd: os.write(fd, b"more")))
    told(name, "truncate", lambda: os.truncate(name, 3) if os.path.isfile(name) else None)
    told(name, "mark", lambda: os.setxattr(name, "user.mark", b"m", follow_symlinks=False))
    told(name, "trust", lambda: os.setxattr(name, "trusted.mark", b"m", follow_symlinks=False))
    told(name, "chmod", lambda: os.chmod(name, 0o6777 if not os.path.isdir(name) else 0o777))
    told(name, "give", lambda: os.chown(name, ${OTHER}, -1, follow_symlinks=False))
    told(name, "share", lambda: os.chown(name, -1, ${GROUP}, follow_symlinks=False))
    told(name, "touch", lambda: os.utime(name, None, follow_symlinks=False))
    told(name, "date", lambda: os.utime(name, (1, 2), follow_symlinks=False))
    told(name, "make", lambda: opened(name + "/made", os.O_WRONLY | os.O_CREAT | os.O_EXCL, lambda fd: os.write(fd, b"made")))
    told(name, "directory", lambda: os.mkdir(name + "/made-directory"))
    told(name, "device", lambda: os.mknod(name + "/made-device", 0o666 | stat.S_IFCHR, os.makedev(1, 3)))
    told(name, "stat", lambda: described(name))
for n, name in enumerate(names):
    told(name, "link", lambda: os.link(name, "sticky/link-%d" % n, follow_symlinks=False))
    told(name, "move", lambda: os.rename(name, "sticky/moved-%d" % n))
    told(name, "move back", lambda: os.rename("sticky/moved-%d" % n, name))
    if name.endswith("666-of-root"): told(name, "replace", lambda: os.rename(name, name.replace("666", "644")))
    told(name, "unlink", lambda: os.unlink(name))
    told(name, "rmdir", lambda: os.rmdir(name))
`;

function tryAll(merged: string): Promise<Buffer> {
  const names = entries.map(({ name }) => String(name).replace(/\/$/, ''));
  const ids = [`--reuid=${USER}`, `--regid=${USER}`, `--groups=${GROUP}`];
  return run('setpriv', [...ids, '/usr/bin/python3', '-c', TRY, merged, ...names]);
}

type How = { readonly writable: boolean; readonly options: readonly string[] };
interface Outcome {
  readonly lines: readonly string[];
  readonly tree: Tree;
}

/** Everything, done by the second user on what `mount` mounts; times since `began` as if they were that. */
async function outcomeOf(merged: string, began: bigint): Promise<Outcome> {
  const lines = String(await tryAll(merged))
    .trim()
    .split('\n');
  const tree = await describeTree(merged);
  const timed = [...tree].map(
    ([path, entry]) => [path, entry.mtime < began ? entry : { ...entry, mtime: began }] as const,
  );
  return { lines, tree: new Map(timed) };
}

class Place {
  readonly machine = new Machine();
  readonly #began = BigInt(Date.now() - 1) * 1_000_000n;
  #count = 0;

  /** On a mount of the layer. */
  async ours(layer: string, { writable, options }: How): Promise<Outcome> {
    const { merged, upper, work } = this.#directories();
    const changes = writable ? ['--upper', upper, '--work', work] : [];
    const given = options.flatMap((option) => ['-o', option]);
    await this.machine.crfs('mount', layer, merged, ...changes, ...given, '--driver', this.machine.driver);
    try {
      return await outcomeOf(merged, this.#began);
    } finally {
      await run('umount', [merged]);
    }
  }

  /** On one of the extracted tree. */
  async plain(tree: string, { writable, options }: How): Promise<Outcome> {
    const { merged, upper, work, nothing } = this.#directories();
    const [lower, changes] = writable ? [tree, [`upperdir=${upper}`, `workdir=${work}`]] : [`${tree}:${nothing}`, []];
    const all = [`lowerdir=${lower}`, ...changes, ...options].join(',');
    const commands: Record<Driver, string[]> = {
      overlay: ['mount', '-t', 'overlay', 'plain', '-o', all, merged],
      'fuse-overlayfs': ['fuse-overlayfs', '-o', `fast_ino=1${writable ? '' : ',ro'},${all}`, merged],
    };
    const [command = '', ...args] = commands[this.machine.driver];
    await run(command, args);
    try {
      return await outcomeOf(merged, this.#began);
    } finally {
      await run('umount', [merged]);
    }
  }

  /** Waits until later mounts have stubs. */
  async untilStubs(): Promise<void> {
    const stubs = join(this.machine.root, 'cache/crfs-plugin/v4/stubs');
    await until('there are stubs', () => readdirSync(stubs).some((name) => !name.startsWith('new-')));
  }

  #directories(): { merged: string; upper: string; work: string; nothing: string } {
    const base = `place-${this.#count++}`;
    const [merged = '', upper = '', work = '', nothing = ''] = ['merged', 'upper', 'work', 'nothing'].map((name) =>
      this.machine.directory(join(base, name)),
    );
    return { merged, upper, work, nothing };
  }
}

async function compare(t: ExecutionContext, place: Place, layer: string, tree: string, how: How): Promise<void> {
  const plain = await place.plain(tree, how);
  t.true(plain.lines.some((line) => line.endsWith(' EACCES')) && plain.lines.some((line) => line.includes(' read b')));
  for (const when of ['first', 'later']) {
    const ours = await place.ours(layer, how);
    const message = `${when} mount, ${JSON.stringify(how)}`;
    t.deepEqual(
      ours.lines.filter((line, n) => line !== plain.lines[n]).map((line) => `${line}, not as plain`),
      [],
      message,
    );
    t.is(ours.lines.length, plain.lines.length);
    const differences = compareTrees(ours.tree, plain.tree, { ignoreMtimeOf: ['.'] }).filter((line) => {
      return place.machine.driver === 'overlay' || !line.includes(': nlink is '); // fuse-overlayfs counts the names that it has seen
    });
    t.deepEqual(differences, [], message);
    if (place.machine.driver === 'overlay') await place.untilStubs();
  }
}

mounting('a second user sees and may do what it does over the extracted tree', async (t) => {
  const place = new Place();
  t.teardown(() => place.machine.dispose());
  chmodSync(place.machine.root, 0o755);
  const tar = join(place.machine.directory('tars'), 'layer.tar');
  writeTar(tar, entries);
  const tree = place.machine.directory('extracted');
  await extractTar(tar, tree);
  const layer = await makeLayer(tar);
  await compare(t, place, layer, tree, { writable: true, options: [] });
  await compare(t, place, layer, tree, { writable: false, options: ['nosuid', 'nodev'] });
});
