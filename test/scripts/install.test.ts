// SPDX-License-Identifier: GPL-3.0-or-later

/** `make install` and `make uninstall`, into a root that is made and into a prefix of a user's own. */

import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DRIVERS } from '../../src/main/mount/driver.js';
import { layerOf, makeMachine, SMALL } from '../commands/setting.js';
import { mountingTest, top } from '../tools/machine.js';
import { run } from '../tools/run.js';

const mounting = mountingTest();

/** `make` with a umask, of what is built: nothing is built anew under the tests that run meanwhile. */
async function make(umask: string, ...args: string[]): Promise<void> {
  await run('sh', ['-ec', 'umask "$0"; exec make -s -o all "$@"', umask, ...args], { cwd: top });
}

/** All that is below a directory, by paths from there. */
function below(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();
}

const PARTS = [
  'lib/crfs-plugin/bin/mount.fuse.crfs',
  'lib/systemd/system/crfs-store.service',
  'lib/systemd/user/crfs-store.service',
  'libexec/crfs-plugin/crfs-lower',
  'libexec/fuse-overlayfs/crfs-plugin.so',
  'share/bash-completion/completions/crfs',
  'share/fish/vendor_completions.d/crfs.fish',
  'share/man/man1/crfs-mount.1',
  'share/man/man1/crfs.1',
  'share/zsh/site-functions/_crfs',
];

/** Whether it is there for everybody, and nobody else can change it. */
function isForAll(path: string): boolean {
  const { mode } = statSync(path);
  const wanted = statSync(path).isDirectory() ? 0o055 : 0o044;
  return (mode & wanted) === wanted && (mode & 0o022) === 0;
}

for (const umask of ['000', '077']) {
  mounting(`an installation into another root is whole, and leaves it empty, umask ${umask}`, async (t) => {
    const machine = makeMachine(t);
    const root = machine.directory('root');
    const there = [`DESTDIR=${root}`, 'PREFIX=/opt/crfs'];
    await make(umask, 'install', ...there);
    const prefix = join(root, 'opt/crfs');
    for (const part of PARTS) t.true(existsSync(join(prefix, part)), part);
    const files = below(root).map((path) => join(root, path));
    const links = files.filter((path) => lstatSync(path).isSymbolicLink());
    t.deepEqual(
      files.filter((path) => !links.includes(path) && !isForAll(path)),
      [],
    );
    t.deepEqual(
      files.filter((path) => !links.includes(path) && !statSync(path).isDirectory() && mentions(path, root)),
      [],
    );
    t.is(readlinkSync(join(prefix, 'sbin/mount.fuse.crfs')), '/opt/crfs/lib/crfs-plugin/bin/mount.fuse.crfs');
    const unit = readFileSync(join(prefix, 'lib/systemd/user/crfs-store.service'), 'utf8');
    t.regex(
      unit,
      /^ExecStart=podman unshare \/opt\/crfs\/bin\/crfs store %h\/\.local\/share\/crfs-plugin\/store --foreground$/m,
    );
    t.notRegex(unit, /@/);
    await make(umask, 'uninstall', ...there);
    t.deepEqual(below(root), []);
  });
}

/** Whether a file says where it was made, which is not where it will be. */
function mentions(path: string, root: string): boolean {
  return readFileSync(path).includes(root);
}

mounting('what is installed below a prefix mounts, and goes without what others have there', async (t) => {
  const machine = makeMachine(t);
  const prefix = machine.directory('prefix');
  writeFileSync(join(machine.directory('prefix/share/fish'), 'other'), '');
  const given = `PREFIX=${prefix}`;
  await make('022', 'install', given);
  await make('077', 'install', given); // above the one that is there
  const [installed, merged] = [join(prefix, 'bin/crfs'), machine.directory('merged')];
  const layer = await layerOf(machine, SMALL);
  t.teardown(() => run('umount', ['-q', merged]).catch(() => undefined));
  for (const driver of DRIVERS) {
    await run(installed, ['mount', '--driver', driver, layer, merged], { env: machine.env });
    t.true(readdirSync(merged).includes('bin'), driver);
    await run(installed, ['umount', merged], { env: machine.env });
  }
  await run(installed, ['stop'], { env: machine.env });
  await make('022', 'uninstall', given);
  t.deepEqual(
    below(prefix).filter((path) => !lstatSync(join(prefix, path)).isDirectory()),
    ['share/fish/other'],
  );
});
