// SPDX-License-Identifier: GPL-3.0-or-later

/** `crfs run` with the real podman: by root, and by an ordinary user. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import anyTest, { type ExecutionContext } from 'ava';
import { parseConfig } from '../../src/main/registry/config.js';
import { argumentsOf, imageEnvironment, imageVolumes, type RunRequest } from '../../src/main/run/request.js';
import { type Machine, mountingTest, whyNoMounts } from '../tools/machine.js';
import { asUser, imageOfPrograms, inNamespace, podmanMachine, whyNoPodman } from '../tools/podman.js';
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
    image: await imageOfPrograms(t, machine, ['/bin/sh', '/bin/id', '/bin/sleep'], CONFIG),
  };
}

/** What is left of containers. */
function left(machine: Machine): string[] {
  return readdirSync(join(machine.root, 'cache/crfs-plugin/run'));
}

/** As the image says, and as options say; the exit code is the container's; nothing stays mounted. */
const ORDINARY = `
  crfs run $image || echo "code $?"
  crfs run -e GREETING=bye -u 5:6 -w /data $image 'echo "$GREETING from $(pwd) as $(id -u):$(id -g)"'
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

/** A container that ends with 7 at SIGTERM, told so; one whose `crfs run` is killed lives on, and is tidied up after. */
const SIGNALLED = `
  script='trap "exit 7" TERM INT; sleep 1000 & echo ready; wait'
  begin() {
    crfs run --name box $image "$script" >out 2>&1 & pid=$!
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
const TOLD = 'code 7\ncode 7\ncode 137\nbeside it\nstill there\nafter it\n';

test('signals are passed on to a container, and nothing stays when it ends, by root', async (t) => {
  const { machine, image } = await setting(t);
  t.is(await inNamespace(machine, `image=${image}; export image`, ['sh', '-ec', SIGNALLED]), TOLD);
  t.deepEqual(left(machine), []);
});

test('signals are passed on to a container, and nothing stays when it ends, by an ordinary user', async (t) => {
  const { machine, image } = await setting(t);
  t.is(await asUser(machine, `image=${image}\n${SIGNALLED}`), TOLD);
  t.deepEqual(left(machine), []);
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
