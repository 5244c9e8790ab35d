// SPDX-License-Identifier: GPL-3.0-or-later

/** `crfs run` with the real podman: by root, and by an ordinary user. */

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import anyTest, { type ExecutionContext } from 'ava';
import { parseConfig } from '../../src/main/registry/config.js';
import { argumentsOf, imageEnvironment, imageVolumes, type RunRequest } from '../../src/main/run/request.js';
import { userOf } from '../../src/main/run/user.js';
import { makeWithin } from '../../src/main/run/within.js';
import { pushTars } from '../tools/image.js';
import { type Machine, mountingTest, top, whyNoMounts } from '../tools/machine.js';
import { asUser, imageOfPrograms, inNamespace, podmanMachine, tarOfPrograms, whyNoPodman } from '../tools/podman.js';
import { startRegistry } from '../tools/registry.js';
import { invoke } from './setting.js';

const test = mountingTest(whyNoMounts() ?? whyNoPodman());

const CONFIG = {
  Entrypoint: ['/bin/sh', '-c'],
  Cmd: ['echo "$GREETING from $(pwd) as $(id -u):$(id -g)"; test -d /data && exit 3'],
  Env: ['PATH=/bin', 'GREETING=hello'],
  User: '1000:100',
  WorkingDir: '/bin',
  Volumes: { '/data': {} },
};

/** A machine, and an image that runs as CONFIG says. */
async function setting(t: ExecutionContext): Promise<{ readonly machine: Machine; readonly image: string }> {
  const machine = podmanMachine(t);
  return {
    machine,
    image: await imageOfPrograms(t, machine, ['/bin/sh', '/bin/id', '/bin/sleep', '/bin/touch'], CONFIG),
  };
}

/** What is left of containers. */
function left(machine: Machine): string[] {
  return readdirSync(join(machine.root, 'cache/crfs-plugin/run'));
}

/** As the image says, and as options say, whatever the umask; the exit code is the container's; nothing stays mounted. */
const ORDINARY = `
  umask 077
  crfs run $image || echo "code $?"
  crfs run --rm -e GREETING=bye -u 5:6 -w /data $image 'echo "$GREETING from $(pwd) as $(id -u):$(id -g)"'
  echo typed | crfs run -i --entrypoint '["/bin/sh"]' -v $PWD:/here:ro -o --hostname=box $image -c 'read x; echo $x in /here*'
  grep -c ' - overlay crfs ' /proc/self/mountinfo || true
`;
const SAID = `hello from /bin as 1000:100
code 3
bye from /data as 5:6
typed in /here
0
`;

test('root runs a container as its image says, and as options say', async (t) => {
  const { machine, image } = await setting(t);
  t.is(await inNamespace(machine, `image=${image}; export image`, ['sh', '-ec', ORDINARY]), SAID);
  t.deepEqual(left(machine), []);
});

test('an ordinary user runs a container as its image says, and as options say', async (t) => {
  const { machine, image } = await setting(t);
  t.is(await asUser(machine, `image=${image}\n${ORDINARY}`), SAID);
  t.deepEqual(left(machine), []);
});

/** Runs commands: what they say on both of their outputs. */
function sh(commands: string): string[] {
  return ['sh', '-ec', `exec 2>&1; ${commands}`];
}

for (const before of ['crfs prefetch $image', 'crfs run $image']) {
  test(`a container runs without its registry, after \`${before}\``, async (t) => {
    const machine = podmanMachine(t);
    machine.env['CRFS_BACKGROUND'] = 'off';
    const registry = await startRegistry();
    t.teardown(() => registry.stop());
    const name = `${registry.host}/img:1`;
    const tar = await tarOfPrograms(machine, ['/bin/sh', '/bin/id']);
    await pushTars([tar], name, { ...CONFIG, Cmd: ['echo "$GREETING as $(id -u)"'] });
    await inNamespace(machine, `image=${name}; export image`, sh(before));
    await machine.crfs('stop');
    await registry.stop();
    const said = await inNamespace(machine, `image=${name}; export image`, sh('crfs run $image'));
    t.regex(said, /^crfs: [^\n]*: taken as it was seen last, docker:\S+@sha256:\S+\nhello as 1000\n$/);
    t.regex(await inNamespace(machine, 'true', sh('crfs run 127.0.0.1:1/other:1 || true')), /^crfs: [^\n]*\n$/);
  });
}

/** A container that ends with 7 at SIGTERM, told so; one whose `crfs run` is killed lives on, and is tidied up after. */
const SIGNALLED = `
  script='trap "exit 7" TERM INT; sleep 1000 & echo ready; wait'
  begin() {
    : >out # what the one before has said is no word of this one
    crfs run --name box $image "$script" >>out 2>&1 & pid=$!
    until grep -q ready out; do sleep 0.1; done
  }
  for signal in TERM INT; do
    begin
    kill -$signal $pid
    wait $pid || echo "code $?"
  done
  begin
  kill -9 $pid
  wait $pid || echo "code $?"
  crfs run $image 'echo beside it'
  podman exec box /bin/sh -c 'echo still there'
  podman rm -f box >/dev/null
  until ! podman container exists box; do sleep 0.1; done
  crfs run $image 'echo after it'
`;
/** podman 4 passes signals on from a moment after the container's start: one that comes before that ends podman, and with it all. */
const TOLD = /^code (7|143)\ncode (7|130)\ncode 137\nbeside it\nstill there\nafter it\n$/;

test('signals are passed on to a container, and nothing stays when it ends, by root', async (t) => {
  const { machine, image } = await setting(t);
  t.regex(await inNamespace(machine, `image=${image}; export image`, ['sh', '-ec', SIGNALLED]), TOLD);
  t.deepEqual(left(machine), []);
});

test('signals are passed on to a container, and nothing stays when it ends, by an ordinary user', async (t) => {
  const { machine, image } = await setting(t);
  t.regex(await asUser(machine, `image=${image}\n${SIGNALLED}`), TOLD);
  t.deepEqual(left(machine), []);
});

test('a container that does not heed SIGTERM is killed', async (t) => {
  const { machine, image } = await setting(t);
  const script = `
    crfs run $image 'trap "" TERM; echo ready; sleep 1000' >out 2>&1 & pid=$!
    until grep -q ready out; do sleep 0.1; done
    kill $pid
    wait $pid || echo "code $?"`;
  t.is(await inNamespace(machine, `image=${image}; export image`, ['sh', '-ec', script]), 'code 137\n');
  t.deepEqual(left(machine), []);
});

test('without podman, root runs a container by crun', async (t) => {
  const { machine, image } = await setting(t);
  const bin = machine.directory('bin'); // all there is, but for podman
  for (const directory of ['/bin', '/usr/sbin', '/usr/bin', join(top, 'bin')]) {
    for (const name of readdirSync(directory)) {
      if (name !== 'podman') symlinkIfFree(join(directory, name), join(bin, name));
    }
  }
  // what limits devices cannot be set where tests run, as containers.conf says to podman
  writeFileSync(join(bin, 'crun.new'), '#!/bin/sh\nexec /usr/bin/crun --cgroup-manager=disabled "$@"\n', {
    mode: 0o755,
  });
  renameSync(join(bin, 'crun.new'), join(bin, 'crun'));
  machine.env['PATH'] = bin;
  const script = `
    crfs run $image || echo "code $?"
    crfs run -e GREETING=bye -u 5:6 -w /data/new $image 'echo "$GREETING from $(pwd) as $(id -u):$(id -g)"'
    echo typed | crfs run -i --network none --entrypoint '["/bin/sh"]' -v $PWD:/here:ro $image -c 'read x; echo $x in /here*; touch /here/x' 2>/dev/null || echo "code $?"
    crfs run -o --memory=1g $image 2>&1 || echo "code $?"
    crfs run -u nobody $image 2>&1 || echo "code $?"
    crfs run --name box $image 'trap "exit 7" TERM; sleep 1000 & echo ready; wait' >out 2>&1 & pid=$!
    until grep -q ready out; do sleep 0.1; done
    kill $pid
    wait $pid || echo "code $?"
    grep -c ' - overlay crfs ' /proc/self/mountinfo || true`;
  t.is(
    await inNamespace(machine, `image=${image}; export image`, ['sh', '-ec', script]),
    `hello from /bin as 1000:100
code 3
bye from /data/new as 5:6
typed in /here
code 1
crfs: -o --memory=1g takes podman, which is not installed
code 2
crfs: the image has no user "nobody"
code 2
code 7
0
`,
  );
  t.deepEqual(left(machine), []);
});

function symlinkIfFree(target: string, path: string): void {
  if (!existsSync(path)) symlinkSync(target, path);
}

anyTest('users of an image are found in it alone, whatever its symlinks say', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'crfs-root-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, 'real'));
  symlinkSync('/real', join(root, 'etc'));
  writeFileSync(join(root, 'real/passwd'), 'root:x:0:0::/root:/bin/sh\nweb:x:33:44::/srv:/bin/sh\nbad:x:-1:z::/:\n');
  writeFileSync(join(root, 'real/group'), 'root:x:0:\nweb:x:44:\nextra:x:55:other,web\n');
  t.deepEqual(userOf(root, ''), { uid: 0, gid: 0, additionalGids: [], home: '/root' });
  t.deepEqual(userOf(root, 'web'), { uid: 33, gid: 44, additionalGids: [55], home: '/srv' });
  t.deepEqual(userOf(root, '33:extra'), { uid: 33, gid: 55, additionalGids: [], home: '/srv' });
  t.deepEqual(userOf(root, '7:8'), { uid: 7, gid: 8, additionalGids: [], home: '/' });
  for (const wrong of ['bad', 'nobody', 'web:none', '-1', '4294967295'])
    t.throws(() => userOf(root, wrong), { code: 'CRFS_USAGE' }, wrong);
  rmSync(join(root, 'real/passwd'));
  symlinkSync('../../../../../../../../etc/passwd', join(root, 'real/passwd'));
  t.throws(() => userOf(root, 'daemon'), { code: 'CRFS_USAGE' }, 'it is not looked for on this machine');
  symlinkSync('loop', join(root, 'loop'));
  t.throws(() => makeWithin(root, '/loop/x'), { code: 'CRFS_BAD_LAYER' });
  symlinkSync('/../../data', join(root, 'link'));
  makeWithin(root, '/link/deep');
  t.true(existsSync(join(root, 'data/deep')));
});

test('run tells what is wrong before anything is mounted, and leaves nothing', async (t) => {
  const machine = podmanMachine(t);
  const bare = await imageOfPrograms(t, machine, ['/bin/sh']);
  const bad = await imageOfPrograms(t, machine, ['/bin/sh'], { Cmd: ['sh'], Volumes: { '/etc:/etc': {} } });
  const told = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await invoke(machine, ['run', ...args]);
    return `${code} ${stderr}`;
  };
  t.is(await told(bare), `2 crfs: ${bare} names no command to run: put one behind it\n`);
  t.is(await told(bad), `1 crfs: the config of ${bad} is broken: "/etc:/etc" can be no volume\n`);
  t.regex(await told(`${bare}0`), /^1 crfs: .*img.*\n$/);
  t.regex(await told('-e', 'A', bare, 'sh', '-x', '--no-such'), /^(?!2 )/, 'what is behind the image is for it');
  t.deepEqual(left(machine), []);
});

anyTest('what an image says is put together as podman does', (t) => {
  const config = parseConfig(
    Buffer.from(
      JSON.stringify({ config: { ...CONFIG, Env: ['A=1', 'HOME', '=x', 'B='], Volumes: { '/a/': {}, '/b': {} } } }),
    ),
    'img',
  );
  const request = (given: Partial<RunRequest>): RunRequest => ({
    config,
    image: 'img',
    command: [],
    interactive: false,
    tty: false,
    env: [],
    volumes: [],
    options: [],
    ...given,
  });
  t.deepEqual(argumentsOf(request({})), [...CONFIG.Entrypoint, ...CONFIG.Cmd]);
  t.deepEqual(argumentsOf(request({ command: ['x', '-y'] })), [...CONFIG.Entrypoint, 'x', '-y']);
  t.deepEqual(argumentsOf(request({ entrypoint: '/a b', command: ['c'] })), ['/a b', 'c']);
  t.deepEqual(argumentsOf(request({ entrypoint: '["a","b"]' })), ['a', 'b']);
  t.throws(() => argumentsOf(request({ entrypoint: '' })), { code: 'CRFS_USAGE' });
  t.deepEqual(imageEnvironment(config), ['A=1', 'B=']);
  t.deepEqual(imageVolumes(request({})), ['/a/', '/b']);
  t.deepEqual(imageVolumes(request({ volumes: ['/x:/a:ro', '/b/'] })), []);
});
