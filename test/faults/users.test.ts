// SPDX-License-Identifier: GPL-3.0-or-later

import { chmodSync, existsSync, lstatSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { crfs, Machine, mountingTest } from '../tools/machine.js';
import { run } from '../tools/run.js';
import { daemonOf, knownLayer, readAll } from './world.js';

const mounting = mountingTest();

const asAnother = (machine: Machine, ...command: string[]): Promise<Buffer> =>
  run('setpriv', ['--reuid', '65534', '--regid', '65534', '--clear-groups', ...command], { env: machine.env });

mounting('another user can neither reach the daemon nor read its cache', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  chmodSync(machine.root, 0o755);
  const known = await knownLayer(machine, { small: 5, large: 0 });
  await run('sh', ['-c', `umask 0; exec ${crfs} daemon`], { env: machine.env }); // a mount starts it with a umask of its own
  const mount = await machine.mount([known.layer]);
  await readAll(mount.merged, known, 1);
  const daemon = await daemonOf(machine);
  const places = [machine.objects.replace(/\/v2\/objects$/, ''), join(machine.root, 'state/crfs-plugin')];
  const open = await run('find', [...places, '!', '-type', 'l', '-perm', '/077']);
  t.is(String(open), '', 'each file is closed to others by itself, also where a directory is not');
  for (const path of ['cache/crfs-plugin/control.sock', 'cache/crfs-plugin/api.sock', 'cache/crfs-plugin/v4/objects']) {
    const error = await t.throwsAsync(asAnother(machine, 'stat', join(machine.root, path)));
    t.regex(error?.message ?? '', /Permission denied/, path);
  }
  await t.throwsAsync(asAnother(machine, crfs, 'stop'), { message: /cannot be used|EACCES/ });
  await t.throwsAsync(asAnother(machine, 'ls', `/proc/${daemon}/fd`), { message: /Permission denied/ });
  t.is(await daemonOf(machine), daemon);
});

mounting('a user whom the machine does not know, without HOME, is told to set it', async (t) => {
  const unknown = ['--reuid', '4000000000', '--regid', '4000000000', '--clear-groups'];
  const env = { PATH: process.env['PATH'] };
  const error = await t.throwsAsync(run('setpriv', [...unknown, crfs, 'status'], { env }));
  t.regex(error?.message ?? '', /crfs: there is no home directory: HOME is not set, .* 4000000000; set HOME/);
});

mounting('another user who can reach the socket is hung up on by the daemon', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  chmodSync(machine.root, 0o755);
  const known = await knownLayer(machine, { small: 5, large: 0 });
  const mount = await machine.mount([known.layer]);
  const directory = join(machine.root, 'cache/crfs-plugin');
  chmodSync(directory, 0o755);
  chmodSync(join(directory, 'control.sock'), 0o666);
  const asked = `
    socket($s, AF_UNIX, SOCK_SEQPACKET, 0) or die;
    connect($s, pack_sockaddr_un($ARGV[0])) or die;
    $SIG{PIPE} = 'IGNORE';
    send($s, 'no message', 0); # which whoever takes it for one hangs up for, too
    recv($s, $answer, 100, 0);
    print length($answer // '')`;
  const got = await asAnother(machine, 'perl', '-MSocket', '-e', asked, join(directory, 'control.sock'));
  t.is(String(got).trim(), '0', 'the end, and no answer');
  t.regex(machine.log, /"uid":65534.*hung up on another user/);
  chmodSync(directory, 0o700);
  t.deepEqual(await readAll(mount.merged, known, 1), { failed: [], wrong: [] });
});

mounting('a cache directory of ours that others may enter is refused', async (t) => {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const known = await knownLayer(machine, { small: 5, large: 0 });
  const directory = machine.directory('cache/crfs-plugin');
  for (const mode of [0o750, 0o755, 0o701]) {
    chmodSync(directory, mode);
    await t.throwsAsync(machine.crfs('daemon'), { message: /crfs: \S+\/crfs-plugin cannot be used: .*mode 0700/ });
    await t.throwsAsync(machine.mount([known.layer]), { message: /\/crfs-plugin is not ours alone/ });
  }
  chmodSync(directory, 0o700);
  await machine.mount([known.layer]);
  t.pass();
});

for (const part of ['state', 'cache'] as const) {
  mounting(`a ${part} directory that another user planted is refused, whatever it is`, async (t) => {
    const machine = new Machine();
    t.teardown(() => machine.dispose());
    const known = await knownLayer(machine, { small: 5, large: 0 });
    const planted = join(machine.directory(part), 'crfs-plugin');
    const elsewhere = machine.directory('elsewhere');
    await run('chown', ['65534', elsewhere]);
    symlinkSync(elsewhere, planted);
    await t.throwsAsync(machine.mount([known.layer]), { message: /crfs: [^\n]*crfs-plugin/ });
    rmSync(planted);
    mkdirSync(planted, { mode: 0o700 });
    await run('chown', ['65534', planted]);
    await t.throwsAsync(machine.mount([known.layer]), { message: /crfs: [^\n]*crfs-plugin/ });
    t.is(lstatSync(planted).uid, 65534);
    t.false(existsSync(join(planted, 'control.sock')));
    rmSync(planted, { recursive: true });
    const mount = await machine.mount([known.layer]);
    t.deepEqual(await readAll(mount.merged, known, 1), { failed: [], wrong: [] });
  });
}
