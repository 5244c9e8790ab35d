// SPDX-License-Identifier: GPL-3.0-or-later

/** Mounts by an ordinary user, root in a user namespace: with one id, as unshare makes it, or with many, as podman does. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { DRIVERS } from '../../src/main/mount/driver.js';
import { noise, text } from '../tools/content.js';
import { extractTar } from '../tools/extract.js';
import { makeLayer } from '../tools/layers.js';
import { crfs, lowerdir, Machine, mountingTest, plugin, whyNoMounts } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';

const mounting = mountingTest(whyNoMounts() ?? whyNoUsers());

/** A user that is nobody else's, and the first of the ids that it may use. */
const uid = 1_000_000 + process.pid;
const subuid = 100_000_000;

function whyNoUsers(): string | undefined {
  return (statSync('/dev/fuse').mode & 0o006) === 0o006 ? undefined : 'only root may use /dev/fuse';
}

function writeLayerTar(path: string): string {
  const plain = { mtime: 1_500_000_000, uid: 0, gid: 0 };
  writeTar(path, [
    { ...plain, name: 'etc/', type: '5', mode: 0o755 },
    { ...plain, name: 'etc/text', mode: 0o640, content: text(5_000_000), xattrs: { 'user.a': 'b' } },
    { ...plain, name: 'etc/noise', mode: 0o4755, content: noise(300_000) },
    { ...plain, name: 'etc/hard', type: '1', linkname: 'etc/noise' },
    { ...plain, name: 'etc/symlink', type: '2', linkname: 'text' },
    { ...plain, name: 'etc/of-another', uid: 1000, gid: 1001, mode: 0o644, content: 'of another\n' },
    { ...plain, name: 'home/', type: '5', mode: 0o755, uid: 1000, gid: 1000 },
  ]);
  return path;
}

/** Prints all that is to be seen below the working directory. */
const look = (owners: boolean): string =>
  `find . ! -name . -printf '%P %y %m ${owners ? '%U:%G ' : ''}%n %s %T@ %l\\n' | sed -E 's/^([^ ]* d [^ ]*( [^ ]*:[^ ]*)?) [0-9]+ [0-9]+/\\1/' | sort
   find . -type f -print0 | sort -z | xargs -0 sha256sum
   getfattr -n user.a etc/text`;

/** Runs a shell script as root of a user namespace of the user, whose ids are `map`: lines of uid_map. */
async function runAsUser(script: string, map: string, env: NodeJS.ProcessEnv, cwd: string): Promise<string> {
  const become = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups'];
  const waiting = 'echo; read -r go; exec unshare -m sh -e -c "$1"';
  const args = [...become, 'unshare', '-U', 'sh', '-c', waiting, 'sh', script];
  const child = spawn('setpriv', args, { cwd, env, stdio: 'pipe' });
  await once(child.stdout, 'data'); // it is in its namespace
  writeFileSync(`/proc/${child.pid}/gid_map`, map);
  writeFileSync(`/proc/${child.pid}/uid_map`, map);
  child.stdin.end('go\n');
  const [out, errors] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  if (child.exitCode !== 0) throw new Error(`the script of the user failed: ${errors}`);
  return out;
}

for (const driver of DRIVERS) {
  for (const many of [false, true]) {
    for (const runtime of driver === 'overlay' ? [many] : [true, false]) {
      const where = runtime ? 'with an XDG_RUNTIME_DIR' : 'without one';
      mounting(
        `a user with ${many ? 'many ids' : 'one id'} mounts, reads and writes, ${where}, by ${driver}`,
        async (t) => {
          const machine = new Machine({ CRFS_IDLE_TIMEOUT: '10' });
          t.teardown(async () => {
            await run('chown', ['-R', '0:0', machine.root]);
            await machine.dispose();
          });
          const tar = writeLayerTar(join(machine.directory('tars'), 'layer.tar'));
          const layer = await makeLayer(tar);
          const extracted = machine.directory('extracted');
          await extractTar(tar, extracted);
          const here = machine.directory('user');
          for (const name of ['merged', 'upper', 'work', 'lower']) machine.directory(`user/${name}`);
          const byHand = `fuse-overlayfs -o fast_ino=1,plugins=${plugin},lowerdir=${lowerdir(layer, `${here}/lower`)},upperdir=upper,workdir=work merged`;
          const mount =
            driver === 'overlay'
              ? `${crfs} mount ${layer} merged --upper upper --work work --driver overlay >&2`
              : byHand;
          const write = many ? 'echo more >>etc/of-another; chown 7:8 etc/text; rmdir home' : 'echo more >>etc/text';
          const script = `
        ${mount}
        trap 'cd ..; umount merged; ${crfs} stop >/dev/null' EXIT
        cd merged
        ${look(many)}
        ${crfs} status --json >../status
        unset XDG_RUNTIME_DIR # as other shells of the user may have it
        ${crfs} status | grep -q $PWD
        ${write}
        rm etc/hard
        mkdir -m 700 etc/new`;
          const env = { ...machine.env };
          if (!runtime) delete env['XDG_RUNTIME_DIR'];
          const owned = ['home', 'cache', 'state', 'config', 'run', 'user'].map((name) => machine.directory(name));
          chmodSync(machine.root, 0o755);
          await run('chown', ['-R', `${uid}:${uid}`, ...owned]);
          const map = many ? `0 ${uid} 1\n1 ${subuid} 65536\n` : `0 ${uid} 1\n`;

          const shown = await runAsUser(script, map, env, here);

          t.is(shown, String(await run('sh', ['-e', '-c', look(many)], { cwd: extracted })));
          const copied = statSync(join(here, 'upper/etc', many ? 'of-another' : 'text'));
          t.is(copied.uid, many ? subuid + 999 : uid);
          t.true(existsSync(join(here, 'upper/etc/new')));
        },
      );
    }
  }
}
