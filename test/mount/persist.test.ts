// SPDX-License-Identifier: GPL-3.0-or-later

/** `crfs mount --persist`: what systemd is told is held against what its own tools say of it, and run as it has it. */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import anyTest, { type ExecutionContext } from 'ava';
import { fstabLine, type Lasting, mountUnit, unitOf } from '../../src/main/setup/lasting.js';
import { imageOf, invoke, layerOf, makeMachine, SMALL } from '../commands/setting.js';
import { crfs, LET_GO, type Machine, mountingTest, whyNoMounts } from '../tools/machine.js';
import { commandsWith } from '../tools/pages.js';
import { asUser, imageOfPrograms, podmanMachine, whyNoPodman } from '../tools/podman.js';
import { missing } from '../tools/registry.js';
import { run } from '../tools/run.js';

const whyNoSystemd = existsSync('/usr/bin/systemd-analyze') ? undefined : 'systemd is not installed';
const mounting = mountingTest();
const judging = mountingTest(whyNoMounts() ?? whyNoSystemd);

/** Runs a script where /etc/systemd is the machine's own, and systemd runs, as far as that can be seen. */
async function withSystemd(machine: Machine, script: string): Promise<string> {
  const units = machine.directory('units');
  const set = `${LET_GO}
    mount -t tmpfs run /run; mkdir -p /run/systemd/system
    mount --bind ${units} /etc/systemd
    start() { # what is to be run of a unit, as systemd does it: without an environment
      env -i PATH=/usr/bin:/bin HOME=$HOME XDG_CACHE_HOME=$XDG_CACHE_HOME XDG_STATE_HOME=$XDG_STATE_HOME \\
        sh -c "$(sed -n 's/^ExecStart=/exec /p' "$1")"
    }
    mounted() { until grep -q " $1 overlay " /proc/self/mounts; do kill -0 $!; sleep 0.05; done; }`;
  const args = ['-m', 'sh', '-ec', `${set}\nexec 2>&1\n${script}`];
  return String(await run('unshare', args, { env: machine.env, cwd: machine.root }));
}

interface Setting {
  readonly machine: Machine;
  readonly layer: string;
  readonly merged: string;
  readonly unit: string;
}

async function prepared(t: ExecutionContext): Promise<Setting> {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  const merged = machine.directory('merged');
  for (const name of ['up per', 'work']) machine.directory(name);
  return { machine, layer, merged, unit: `/etc/systemd/system/${unitOf(merged)}` };
}

judging('a mount comes back by a unit that systemd takes, until it is forgotten', async (t) => {
  const { machine, layer, merged, unit } = await prepared(t);
  const said = await withSystemd(
    machine,
    `${crfs} mount --persist ${layer} merged --upper 'up per' --work work -o nosuid | tail -n 1
    echo changed >merged/new
    systemd-analyze verify --man=no '${unit}' && echo good
    systemctl --root=/ is-enabled '${unitOf(merged)}'
    ${crfs} umount merged
    start '${unit}' >/dev/null &
    mounted ${merged}
    cat merged/new
    grep -o nosuid /proc/self/mounts | head -n 1
    ${crfs} umount --forget merged
    wait $! && echo ended
    find /etc/systemd ! -type d
    ${crfs} umount --forget merged || echo "code $?"`,
  );
  t.deepEqual(said.trimEnd().split('\n'), [
    `  comes back at each start, by ${unit}`,
    'good',
    'enabled',
    `${merged}: unmounted; it comes back at the next start, unless \`crfs umount --forget\` is run`,
    'changed',
    'nosuid',
    `${merged}: unmounted, and comes back no more`,
    'ended',
    `crfs: "${merged}" is no mount of layers: nothing is mounted there`,
    'code 1',
  ]);
});

const pulling = mountingTest(
  whyNoMounts() ?? (missing.length > 0 ? `${missing.join(' and ')} not installed` : undefined),
);

pulling('an image comes back, and is forgotten, by the commands of docs/cli.md', async (t) => {
  const { machine, merged, unit } = await prepared(t);
  machine.env['PATH'] = `${dirname(crfs)}:${process.env['PATH']}`;
  const { name } = await imageOf(t, [join(machine.root, 'small.tar')]);
  const script = commandsWith('crfs mount --persist localhost:5000/img:tag /srv/img')
    .replaceAll('localhost:5000/img:tag', name)
    .replaceAll('/srv/img', merged);
  t.is(
    (await withSystemd(machine, script)).replace(/^.*read-only, by overlay\n/, ''),
    `  comes back at each start, by ${unit}\n${merged}: unmounted, and comes back no more\n`,
  );
});

mounting('what is not mounted now can be forgotten, and JSON tells of units', async (t) => {
  const { machine, layer, merged, unit } = await prepared(t);
  const said = await withSystemd(
    machine,
    `${crfs} mount --persist ${layer} merged --json
    ${crfs} umount merged --json
    ${crfs} umount --forget merged --json`,
  );
  const [first, second, third] = said
    .trimEnd()
    .split(/\n(?=[[{])/)
    .map((text) => JSON.parse(text));
  t.deepEqual(first.persisted, { unit });
  t.deepEqual(second, [{ mountpoint: merged, isLeft: false, comesBackBy: unit }]);
  t.deepEqual(third, [{ mountpoint: merged, isLeft: false, forgotten: unit }]);
});

mounting('what cannot come back is refused, and nothing is mounted', async (t) => {
  const { machine, layer, merged } = await prepared(t);
  mkdirSync(join(machine.root, 'li\nnes'));
  const refused = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await invoke(machine, ['mount', '--persist', ...args]);
    t.is(code, 2, stderr);
    return stderr;
  };
  t.regex(await refused(layer, merged, '--foreground'), /'--persist' cannot be used with option '-f, --foreground'/);
  t.regex(await refused(layer, join(machine.root, 'li\nnes')), /has a control character in it/);
  t.regex(
    await refused('http://me:secret@localhost:1/l', merged),
    /no credentials but those in the file of --authfile/,
  );
  t.regex(await refused('localhost:1/img:1', merged, '--creds=me:secret'), /no credentials but/);
  const inNamespace = await run('unshare', ['-Urm', 'sh', '-c', `${crfs} mount --persist ${layer} merged 2>&1; true`], {
    env: machine.env,
    cwd: machine.root,
  });
  t.regex(String(inNamespace), /this user namespace does not come back/);
  t.deepEqual(readdirSync(merged), []);
});

const user = mountingTest(whyNoMounts() ?? whyNoPodman());

user("an ordinary user's mount comes back in podman's namespace, and is forgotten outside of it", async (t) => {
  const machine = podmanMachine(t);
  const image = await imageOfPrograms(t, machine, ['/bin/echo']);
  const merged = join(machine.directory('user'), 'merged');
  const unit = `${machine.env['XDG_CONFIG_HOME']}/systemd/user/${unitOf(merged)}`;
  const said = await asUser(
    machine,
    `mkdir -p merged $XDG_RUNTIME_DIR/systemd && touch $XDG_RUNTIME_DIR/systemd/private
    podman unshare crfs mount --persist ${image} merged | tail -n 1
    podman unshare crfs umount merged >&2
    sh -c "$(sed -n 's/^ExecStart=/exec /p' '${unit}')" >mount.log 2>&1 &
    until podman unshare grep -q merged /proc/self/mounts; do kill -0 $!; sleep 0.05; done
    grep WantedBy '${unit}'
    crfs umount --forget merged | sed 's/^.* pid [0-9]*, //'
    wait $!
    test -e '${unit}' || echo gone
    rm -r $XDG_RUNTIME_DIR/systemd
    podman unshare crfs mount --persist ${image} merged | tail -n 1 | grep -o "no systemd.*podman unshare"
    podman unshare crfs umount merged >&2`,
  );
  t.deepEqual(said.trimEnd().split('\n'), [
    `  comes back at each start, by ${unit}`,
    'WantedBy=default.target',
    'and comes back no more',
    'gone',
    'no systemd runs here: it comes back by /usr/bin/podman unshare',
  ]);
});

const escaping = whyNoSystemd === undefined ? anyTest : anyTest.skip;

escaping('units have the names that systemd has for paths', (t) => {
  for (const path of ['/srv/img', '/a b/c-d', '/.hidden/.x', '/ü/%i$x\\', '/']) {
    const wanted = execFileSync('systemd-escape', ['--path', path], { encoding: 'utf8' }).trim();
    t.is(unitOf(path), `crfs-mount-${wanted}.service`);
  }
});

escaping('systemd takes a unit of odd words', async (t) => {
  const machine = makeMachine(t);
  const lasting = {
    isSystem: true,
    mountpoint: '/srv/a "b" %i $HOME \\',
    configuration: '/layers/100% $x.esgz',
    options: [['option', `context="a:b:c1,c2"`]],
  } as const;
  const path = join(machine.root, 'crfs-mount-odd.service');
  writeFileSync(path, mountUnit(lasting, { crfs: '/bin/true', podman: 'podman' }));
  const said = await run('sh', ['-c', 'systemd-analyze verify --man=no "$0" 2>&1', path]);
  t.is(String(said), '');
  t.true(readFileSync(path, 'utf8').includes('!/srv/a "b" %%i $HOME \\\n'));
});

anyTest('a line of fstab has what may stand in a field, and options in quotes that have a comma', (t) => {
  const lasting: Lasting = {
    isSystem: true,
    mountpoint: '/a b\\c',
    configuration: 'docker://localhost:5000/img:tag',
    options: [
      ['upper', '/u,v'],
      ['option', 'context="a:b:c1,c2"'],
      ['insecure-policy', ''],
    ],
  };
  t.is(
    fstabLine(lasting),
    'docker://localhost:5000/img:tag /a\\040b\\134c fuse.crfs "upper=/u,v",context="a:b:c1,c2",insecure-policy,_netdev,nofail 0 0',
  );
});
