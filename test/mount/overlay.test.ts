// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * What is done to lower files has the results that it has over a plain directory: the host over one is the oracle. The same
 * of the kernel's overlay: random-operations.test.ts.
 */

import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { debian } from '../tools/layers.js';
import { eachDriver, Machine, mountingTest } from '../tools/machine.js';
import { nastyLayer } from '../tools/nasty-layer.js';
import { run } from '../tools/run.js';
import { compareTrees, describeTree, type Tree } from '../tools/tree.js';

const mounting = mountingTest();
const both = eachDriver();

type Operation = (at: (path: string) => string) => void;

/**
 * None is on a file of several names: which of these the host copies up depends on the order that it read them in, and what
 * the others show then, on whether the kernel has had it forget them meanwhile.
 */
const operations: Readonly<Record<string, Operation>> = {
  append: (at) => appendFileSync(at('sizes/513'), 'more\n'),
  'append to a file of several chunks': (at) => appendFileSync(at('sizes/4194305'), 'more\n'),
  'append to an empty file': (at) => appendFileSync(at('meta/xattrs-empty-file'), 'more\n'),
  'overwrite within': (at) => overwrite(at('sizes/zeros'), 'in the middle', 5_000_000),
  'write into a hole': (at) => overwrite(at('sizes/sparse'), 'no hole', 1_000_000),
  shorten: (at) => truncateSync(at('sizes/noise'), 1_000_001),
  lengthen: (at) => truncateSync(at('sizes/512'), 5000),
  'empty by opening': (at) => writeFileSync(at('sizes/4194303'), ''),
  replace: (at) => writeFileSync(at('sizes/1'), 'something else\n'),
  create: (at) => writeFileSync(at('names/created'), 'new\n'),
  'create deep below': (at) => writeFileSync(at('missing/parents/created'), 'new\n'),
  'create exclusively over a lower file': (at) => writeFileSync(at('twice'), '', { flag: 'wx' }),
  'create in a directory with xattrs': (at) => writeFileSync(at('meta/xattrs-directory/created'), ''),
  'delete a file': (at) => unlinkSync(at('names/--help')),
  'delete and create again': (at) => {
    unlinkSync(at('sizes/511'));
    writeFileSync(at('sizes/511'), 'again\n');
  },
  'delete a tree': (at) => rmSync(at('late'), { recursive: true }),
  'delete a tree and make a directory in its place': (at) => {
    rmSync(at('dot'), { recursive: true });
    mkdirSync(at('dot'));
    writeFileSync(at('dot/new'), 'not the old file\n');
  },
  'delete a directory that is not empty': (at) => rmdirSync(at('names')),
  'make a directory': (at) => mkdirSync(at('names/directory'), { mode: 0o710 }),
  'make a directory over a file': (at) => mkdirSync(at('names/...')),
  'rename a file': (at) => renameSync(at('names/100%'), at('names/renamed')),
  'rename a file over another': (at) => renameSync(at('names/日本語'), at('names/$HOME `id` *?[a]{b}')),
  'rename a file to another directory': (at) => renameSync(at('names/.hidden'), at('missing/shown')),
  'rename a directory': (at) => renameSync(at('missing'), at('found')),
  'rename a directory over a lower one that was emptied': (at) => {
    mkdirSync(at('fresh'));
    for (const name of ['of-a-file', 'created']) unlinkSync(at(`missing/parents/${name}`));
    renameSync(at('fresh'), at('missing/parents'));
  },
  'rename a directory of the upper layer over a lower one that was emptied': (at) => {
    mkdirSync(at('other'));
    writeFileSync(at('other/file'), 'kept\n');
    rmSync(at('deep'), { recursive: true });
    mkdirSync(at('deep'));
    renameSync(at('other'), at('deep'));
  },
  'rename a symlink': (at) => renameSync(at('links/target-of-100'), at('links/renamed')),
  'rename a device': (at) => renameSync(at('meta/char'), at('meta/char-renamed')),
  'change the mode of a file': (at) => chmodSync(at('names/constructor'), 0o4711),
  'change the mode of a directory': (at) => chmodSync(at('names'), 0o1777),
  'change the owner of a file': (at) => chownSync(at('names/__proto__'), 70_000, 70_001),
  'change the owner of a symlink': (at) => lchownSync(at('links/relative'), 3, 4),
  'change the owner of a directory': (at) => chownSync(at('meta/directory-with-nanoseconds'), 5, 6),
  'change the times of a file': (at) => utimesSync(at('names/..dots'), 1_000_000_000, 1_100_000_000),
  'change the times of a symlink': (at) => lutimesSync(at('links/absolute'), 1_000_000_000, 1_100_000_000),
  'change the times of a directory': (at) => utimesSync(at('meta/xattrs-directory'), 1_000_000_000, 1_100_000_000),
  'set an xattr': (at) => setXattr(at('names/-leading-dash'), 'user.new', 'value'),
  'replace an xattr': (at) => setXattr(at('meta/xattrs-empty-file'), 'user.a', 'other'),
  'set an xattr of a directory': (at) => setXattr(at('meta/xattrs-directory'), 'user.d', 'other'),
  'remove an xattr': (at) => execFileSync('setfattr', ['-x', 'user.b', at('meta/xattrs-empty-file')]),
  'link a lower file': (at) => linkSync(at('names/tab\there'), at('names/linked')),
  'make a symlink': (at) => symlinkSync('../sizes/1', at('names/symlink')),
  'make a symlink over a file': (at) => symlinkSync('x', at('names/e\u0301-decomposed')),
  'write through a symlink': (at) => appendFileSync(at('became-a-symlink'), 'through\n'),
  'make a fifo': (at) => execFileSync('mkfifo', [at('names/fifo')]),
  'make a device': (at) => execFileSync('mknod', [at('names/null'), 'c', '1', '3']),
  'delete a fifo': (at) => unlinkSync(at('meta/fifo')),
  'copy a file within': (at) => copyFileSync(at('sizes/4194304'), at('sizes/copy')),
  'read what was written': (at) => writeFileSync(at('names/read'), readFileSync(at('sizes/513'))),
  'move a directory, as mv does where it cannot be renamed': (at) => execFileSync('mv', [at('missing'), at('moved')]),
};

/** What no overlay allows, or this host does not do. */
const refused = [
  'create exclusively over a lower file: EEXIST',
  'delete a directory that is not empty: ENOTEMPTY',
  'make a directory over a file: EEXIST',
  'rename a directory: EXDEV',
  'make a symlink over a file: EEXIST',
];

function overwrite(path: string, content: string, position: number): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, content, position);
  closeSync(fd);
}

function setXattr(path: string, name: string, value: string): void {
  execFileSync('setfattr', ['-n', name, '-v', value, path]);
}

/** Does all operations below a directory. Returns those that failed, and how. */
function operate(directory: string): string[] {
  const failures: string[] = [];
  for (const [name, operation] of Object.entries(operations)) {
    try {
      operation((path) => join(directory, path));
    } catch (error) {
      failures.push(`${name}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
    }
  }
  return failures;
}

/** What all operations leave behind over a lower directory: in the merged view, and in the upper directory. */
async function operatedOn(machine: Machine, lower: string, threaded: string, began: bigint) {
  const mount = await machine.mount([lower], { upper: true, options: ['fast_ino=1', threaded] });
  const failures = operate(mount.merged);
  const merged = withoutNow(await describeTree(mount.merged), began);
  await mount.unmount();
  return { failures, merged, upper: withoutNow(await describeTree(mount.upper), began) };
}

/** The tree with all times since the test began made one. */
function withoutNow(tree: Tree, began: bigint): Tree {
  return new Map([...tree].map(([path, entry]) => [path, entry.mtime >= began ? { ...entry, mtime: began } : entry]));
}

for (const threaded of ['threaded=0', 'threaded=1']) {
  mounting(`operations on lower files do over a layer what they do over a plain directory, ${threaded}`, async (t) => {
    const machine = new Machine();
    t.teardown(() => machine.dispose());
    const nasty = await nastyLayer();
    const began = BigInt(Date.now() - 1) * 1_000_000n;
    const layer = await operatedOn(machine, nasty.layer, threaded, began);
    const plain = await operatedOn(machine, nasty.extracted, threaded, began);
    const options = { ignoreMtimeOf: nasty.timeless };
    t.deepEqual(layer.failures, plain.failures);
    t.deepEqual(layer.failures, refused);
    // the host counts the names of a file that it has in memory, and the kernel may have had it forget some
    const differences = compareTrees(layer.merged, plain.merged, options).filter(
      (line) => !line.includes(': nlink is '),
    );
    t.deepEqual(differences, []);
    t.deepEqual(compareTrees(layer.upper, plain.upper, options), []);
    t.true(layer.upper.size > 40);
  });
}

mounting('a write to one name of a lower file shows in all its names', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const mount = await machine.mount([(await nastyLayer()).layer], { upper: true });
  const names = ['links/setuid', 'links/hard-to-setuid', 'links/hard-with-dot', 'links/hard-to-hard'];
  const held = names.map((name) => openSync(join(mount.merged, name), 'r')); // so that the kernel forgets none of them
  appendFileSync(join(mount.merged, 'links/hard-to-setuid'), 'more\n');
  for (const name of names) {
    t.is(readFileSync(join(mount.merged, name), 'utf8'), '#!/bin/false\nmore\n');
    t.is(statSync(join(mount.merged, name)).nlink, names.length);
  }
  for (const fd of held) closeSync(fd);
});

both('programs run in a root file system that is a layer, and write to it', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const mount = await machine.mount([(await debian()).layer], { upper: true, options: ['fast_ino=1', 'threaded=1'] });
  const program =
    'import sqlite3, ssl, json; open("/etc/hostname", "w").write("written\\n"); print(json.dumps([6 * 7]))';
  t.is(String(await run('chroot', [mount.merged, 'python3', '-c', program])), '[42]\n');
  t.is(readFileSync(join(mount.upper, 'etc/hostname'), 'utf8'), 'written\n');
  await run('chroot', [mount.merged, 'sh', '-c', 'rm -r /usr/share/doc && mv /etc/apt /etc/tpa && ls /etc/tpa']);
  t.is(String(await run('chroot', [mount.merged, 'sh', '-c', 'echo /usr/share/d*'])).includes('/doc\n'), false);
});
