// SPDX-License-Identifier: GPL-3.0-or-later

/** `mount -t fuse.crfs`, and lines of fstab, by the real mount(8), which finds the helper where it looks for helpers. */

import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { mountArguments } from '../../src/main/mount/fstab.js';
import { invoke, layerOf, makeMachine, SMALL } from '../commands/setting.js';
import { crfs, LET_GO, type Machine, mountingTest, top } from '../tools/machine.js';
import { commandsWith } from '../tools/pages.js';
import { run } from '../tools/run.js';

/** Runs a script where /sbin has the helper, and /etc/fstab this text. */
async function withHelper(machine: Machine, fstab: string, script: string): Promise<string> {
  const sbin = join(machine.root, 'sbin');
  mkdirSync(sbin, { recursive: true });
  symlinkSync(join(top, 'bin/mount.fuse.crfs'), join(sbin, 'mount.fuse.crfs'));
  writeFileSync(join(machine.root, 'fstab'), fstab);
  const set = `${LET_GO}\nmount --bind ${machine.root}/fstab /etc/fstab; mount --bind ${sbin} /sbin`;
  const args = ['-m', 'sh', '-ec', `${set}\n${script}`];
  return String(await run('unshare', args, { env: machine.env, cwd: machine.root }));
}

async function prepared(
  t: ExecutionContext,
): Promise<{ readonly machine: Machine; readonly layer: string; readonly merged: string }> {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  return { machine, layer, merged: machine.directory('merged') };
}

mountingTest()('mount -t fuse.crfs mounts a layer, and umount takes it away', async (t) => {
  const { machine, layer, merged } = await prepared(t);
  for (const name of ['upper', 'work']) machine.directory(name);
  const out = await withHelper(
    machine,
    '',
    `mount -t fuse.crfs ${layer} merged -o upper=upper,work=work,nosuid
    echo changed > merged/bin/tool
    findmnt -no FSTYPE,OPTIONS ${merged} | grep -o 'overlay\\|nosuid'
    umount merged
    mount -t fuse.crfs ${layer} merged -o ro,driver=fuse-overlayfs
    cat merged/usr/share/text
    touch merged/new 2>/dev/null || echo read-only
    umount merged`,
  );
  t.is(out.replaceAll(/^.*: .* by .*\n/gm, ''), 'overlay\nnosuid\nshared text\nread-only\n');
  t.is(readFileSync(join(machine.root, 'upper/bin/tool'), 'utf8'), 'changed\n');
});

mountingTest()('lines of fstab are mounted, without an environment, also when that was done before', async (t) => {
  const { machine, layer, merged } = await prepared(t);
  const [up, work] = ['up', 'work'].map((name) => machine.directory(name)) as [string, string];
  const line = 'docker://localhost:5000/img:tag  /mnt  fuse.crfs  upper=/var/up,work=/var/work,_netdev,nofail  0 0';
  const fstab = `${commandsWith(line)}\n`
    .replace('docker://localhost:5000/img:tag', layer)
    .replace('/mnt', merged)
    .replace('/var/up', up)
    .replace('/var/work', work);
  const home = `HOME=${machine.env['HOME']} XDG_CACHE_HOME=${machine.env['XDG_CACHE_HOME']} XDG_STATE_HOME=${machine.env['XDG_STATE_HOME']}`;
  const out = await withHelper(
    machine,
    fstab,
    `env -i PATH=/usr/bin:/bin ${home} mount -a -t fuse.crfs >/dev/null
    cat merged/usr/share/text; echo mine >merged/new
    mount -a -t fuse.crfs
    mount ${merged} && grep -c ' - overlay crfs ' /proc/self/mountinfo
    umount ${merged}
    mount -f ${merged}
    ls merged`,
  );
  t.is(out, 'shared text\n1\n');
});

mountingTest()('mount -t fuse.crfs fails, and says why', async (t) => {
  const { machine } = await prepared(t);
  const told = await withHelper(machine, '', 'mount -t fuse.crfs ./none.esgz merged 2>&1 || echo "code $?"');
  t.regex(told, /^crfs: .*none\.esgz: cannot open it: No such file .*\ncode [1-9]\d*\n$/);
});

mountingTest()('without systemd, crfs mount --persist tells the line of fstab that mounts the same', async (t) => {
  const { machine, layer, merged } = await prepared(t);
  for (const name of ['up,per', 'wo rk']) machine.directory(name);
  const told = `${layer} ${merged} fuse.crfs "upper=${machine.root}/up,per",work=${machine.root}/wo\\040rk,nosuid,_netdev,nofail 0 0`;
  const out = await withHelper(
    machine,
    '',
    `mount -t tmpfs run /run
    ${crfs} mount --persist ${layer} merged --upper up,per --work 'wo rk' -o nosuid >told
    grep '^  no systemd' told
    echo changed >merged/new
    ${crfs} umount merged >&2
    sed -n 's/^  no systemd.*fstab: //p' told >/etc/fstab
    mount -a -t fuse.crfs >/dev/null
    cat merged/new
    umount ${merged}`,
  );
  t.is(out, `  no systemd runs here: it comes back by this line of /etc/fstab: ${told}\nchanged\n`);
});

test('options of fstab become those of crfs mount', (t) => {
  t.deepEqual(mountArguments('rw'), []);
  t.deepEqual(mountArguments('defaults,noauto,nofail,_netdev,x-systemd.idle-timeout=1min,comment=mine,user'), []);
  t.deepEqual(mountArguments('ro,nodev,upper=/a b,work=/c=d,lower=/e,lower=/f,lazy=require,insecure-policy'), [
    '--option=ro',
    '--option=nodev',
    '--upper=/a b',
    '--work=/c=d',
    '--lower=/e',
    '--lower=/f',
    '--lazy=require',
    '--insecure-policy',
  ]);
  t.deepEqual(mountArguments('context="a:b:c1,c2",volatile'), ['--option="context=a:b:c1,c2"', '--option=volatile']);
});

mountingTest()('mount-helper is no command that people are told of', async (t) => {
  const machine = makeMachine(t);
  t.false((await invoke(machine, ['--help'])).stdout.includes('mount-helper'));
});
