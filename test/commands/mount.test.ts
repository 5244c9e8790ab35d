// SPDX-License-Identifier: GPL-3.0-or-later

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { ExecutionContext } from 'ava';
import type { Facts } from '../../src/main/inspect/facts.js';
import { DRIVERS } from '../../src/main/mount/driver.js';
import { crfs, type Machine, mountingTest, until, whyNoMounts } from '../tools/machine.js';
import { missing } from '../tools/registry.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { writeWhiteoutTars } from '../tools/whiteout-tars.js';
import { imageOf, invoke, layerOf, makeMachine, SMALL } from './setting.js';

const test = mountingTest();
const remote = mountingTest(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

/** A machine with directories to mount at; what is still mounted at its end goes first. */
function place(t: ExecutionContext): Machine {
  const machine = makeMachine(t);
  const merged = machine.directory('merged');
  for (const name of ['upper', 'work', 'lower']) machine.directory(name);
  t.teardown(() => run('umount', ['-q', merged]).catch(() => undefined));
  return machine;
}

/** A program that stands before fuse-overlayfs on PATH. */
function fakeHost(machine: Machine, version: string): NodeJS.ProcessEnv {
  const path = join(machine.directory('fake'), 'fuse-overlayfs');
  writeFileSync(path, `#!/bin/sh\necho '${version}'\n`);
  chmodSync(path, 0o755);
  return { PATH: `${join(machine.root, 'fake')}:${process.env['PATH'] ?? ''}` };
}

for (const driver of DRIVERS) {
  test(`mount shows a layer read-only, and umount takes it away, by ${driver}`, async (t) => {
    const machine = place(t);
    const layer = await layerOf(machine, SMALL);
    const merged = join(machine.root, 'merged');
    const mounted = await invoke(machine, ['mount', 'small.tar.esgz', 'merged', '--driver', driver]);
    t.is(mounted.stdout, `${merged}: ${layer}, 1 layer, 17 B, read-only, by ${driver}\n`);
    t.is(mounted.code, 0);
    t.is(readFileSync(join(merged, 'bin/tool'), 'utf8'), 'run\n');
    t.throws(() => writeFileSync(join(merged, 'new'), ''), { code: 'EROFS' });
    t.deepEqual(await invoke(machine, ['mount', layer, 'merged']), {
      code: 1,
      stdout: '',
      stderr: `crfs: "${merged}" is mounted already: run \`crfs umount\` first\n`,
    });
    t.deepEqual(await invoke(machine, ['umount', 'merged']), { code: 0, stdout: `${merged}: unmounted\n`, stderr: '' });
    t.deepEqual(readdirSync(merged), []);
    t.deepEqual(await invoke(machine, ['umount', 'merged']), {
      code: 1,
      stdout: '',
      stderr: `crfs: "${merged}" is no mount of layers: nothing is mounted there\n`,
    });
  });

  test(`mount keeps changes in --upper, shows --lower below, and takes commas in paths, by ${driver}`, async (t) => {
    const machine = place(t);
    const layer = await layerOf(machine, SMALL);
    const [upper, below] = [machine.directory('up,per\\x'), machine.directory('below')];
    writeFileSync(join(machine.root, 'lower/from-lower'), 'lower');
    writeFileSync(join(below, 'from-below'), 'below');
    mkdirSync(join(below, 'bin'));
    writeFileSync(join(below, 'bin/tool'), 'hidden');
    const upperWork = [
      '--upper',
      upper,
      '--work',
      'work',
      '--lower',
      'lower',
      '--lower',
      below,
      '--driver',
      driver,
      '-o',
      driver === 'overlay' ? 'nodev,metacopy=off' : 'noatime,timeout=1',
    ];
    const { stdout, code } = await invoke(machine, ['mount', layer, 'merged', ...upperWork, '--json']);
    t.is(code, 0);
    const { layers, ...report } = JSON.parse(stdout) as { layers: { name: string }[] };
    const merged = join(machine.root, 'merged');
    const why = `--driver ${driver} asks for it`;
    t.deepEqual(report as unknown, { configuration: layer, mountpoint: merged, readOnly: false, driver, why });
    t.deepEqual(
      layers.map(({ name }) => name),
      [layer],
    );
    t.deepEqual(readdirSync(merged).sort(), ['bin', 'etc', 'from-below', 'from-lower', 'usr']);
    t.is(readFileSync(join(merged, 'bin/tool'), 'utf8'), 'run\n');
    writeFileSync(join(merged, 'bin/new'), 'new');
    t.is(readFileSync(join(upper, 'bin/new'), 'utf8'), 'new');
    t.is(
      (await invoke(machine, ['umount', '--json', 'merged'])).stdout,
      `[{"mountpoint":"${merged}","isLeft":false}]\n`,
    );
  });
}

const WANTED = "auto takes the kernel's overlay, where that can be had";
const NO_TIMEOUT = "the kernel's overlay cannot be had: -o timeout=1: it has no such option";

for (const [how, driver, why] of [
  [[], 'overlay', WANTED],
  [['--driver', 'overlay'], 'overlay', '--driver overlay asks for it'],
  [['--driver', 'fuse-overlayfs'], 'fuse-overlayfs', '--driver fuse-overlayfs asks for it'],
  [['-o', 'timeout=1'], 'fuse-overlayfs', NO_TIMEOUT],
] as const) {
  test(`by which driver, and why not the other, is told everywhere: ${how.join(' ')}`, async (t) => {
    const machine = place(t);
    const layer = await layerOf(machine, SMALL);
    const { stdout, stderr } = await invoke(machine, ['mount', layer, 'merged', ...how, '-v', '--json']);
    t.like(JSON.parse(stdout), { driver, why });
    const notes = stderr
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { note: { message: string } }).note.message);
    const isInstead = why === NO_TIMEOUT;
    const tried = {
      overlay: /^trying the kernel's overlay, served by \//,
      'fuse-overlayfs': /^trying fuse-overlayfs \d.*, with -o /,
    };
    const expected = [...(isInstead ? [tried.overlay, NO_TIMEOUT] : []), tried[driver], `mounted by ${driver}: ${why}`];
    t.is(notes.length, expected.length);
    for (const [n, line] of notes.entries()) {
      const one = expected[n] ?? '';
      if (typeof one === 'string') t.is(line, one);
      else t.regex(line, one);
    }
    await until('what was tried before has ended', async () => (await machine.status())?.mounts.length === 1);
    t.like((await machine.status())?.mounts[0], { driver, why });
    t.true((await machine.crfs('status')).replaceAll('\n  ', ' ').includes(` ${why} `)); // in lines that fit a terminal
    await invoke(machine, ['umount', 'merged']);
    const told = await invoke(machine, ['mount', layer, 'merged', ...how, '--verbose']);
    t.deepEqual(
      told.stderr.trim().split('\n'),
      notes.map((line) => `crfs: ${line}`),
    );
    t.is(told.stdout.includes(`  ${why}\n`), isInstead);
  });
}

test('what the kernel does not know has fuse-overlayfs mount, unless the kernel is to', async (t) => {
  const machine = place(t);
  const layer = await layerOf(machine, SMALL);
  const refused = await invoke(machine, ['mount', layer, 'merged', '-o', 'timeout=1', '--driver', 'overlay']);
  const merged = JSON.stringify(join(machine.root, 'merged'));
  t.deepEqual(refused, { code: 2, stdout: '', stderr: `crfs: ${merged}: ${NO_TIMEOUT}\n` });
  t.deepEqual(readdirSync(join(machine.root, 'merged')), []);
});

remote('what is remote is mounted threaded=1, a local file not, and -o has the last word', async (t) => {
  const machine = place(t);
  const layer = await layerOf(machine, SMALL);
  const tar = join(machine.directory('tars'), 'small.tar');
  writeTar(tar, SMALL);
  const { name } = await imageOf(t, [tar]);
  const threaded = async (...args: string[]): Promise<string[]> => {
    t.like(await invoke(machine, ['mount', ...args, 'merged', '--driver', 'fuse-overlayfs']), { code: 0 });
    const pid = (await machine.status())?.mounts.findLast(({ mountpoint }) => mountpoint.endsWith('/merged'))?.pid;
    const [, options = ''] = /\0-o\0([^\0]*)/.exec(readFileSync(`/proc/${pid}/cmdline`, 'latin1')) ?? [];
    t.is((await invoke(machine, ['umount', 'merged'])).code, 0);
    return options.split(',').filter((option) => option.startsWith('threaded'));
  };
  t.deepEqual(await threaded(name), ['threaded=1']);
  t.deepEqual(await threaded(layer), []);
  t.deepEqual(await threaded(name, '-o', 'threaded=0'), ['threaded=0']);
});

for (const driver of DRIVERS) {
  test(`mount --foreground stays until the mount goes, by ${driver}`, async (t) => {
    const machine = place(t);
    const layer = await layerOf(machine, SMALL);
    const child = spawn(crfs, ['mount', '--foreground', layer, 'merged', '--driver', driver], {
      cwd: machine.root,
      env: machine.env,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const exit = once(child, 'exit');
    await until('the layer is mounted', () => existsSync(join(machine.root, 'merged/bin/tool')));
    t.is(child.exitCode, null);
    await invoke(machine, ['umount', 'merged']);
    t.deepEqual(await exit, [0, null]);
  });

  test(`a signal ends a mount in the foreground, which is no failure, by ${driver}`, async (t) => {
    const machine = place(t);
    const layer = await layerOf(machine, SMALL);
    const { root: cwd, env } = machine;
    const child = spawn(crfs, ['mount', '-f', layer, 'merged', '--driver', driver], {
      cwd,
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const exit = once(child, 'exit');
    const said = text(child.stderr);
    await until('the layer is mounted', () => existsSync(join(machine.root, 'merged/bin/tool')));
    child.kill('SIGTERM');
    t.deepEqual(await exit, [0, null]);
    t.is(await said, '');
    t.deepEqual(readdirSync(join(machine.root, 'merged')), []);
  });
}

test('mount refuses hosts that would leave the layers out', async (t) => {
  const machine = place(t);
  const layer = await layerOf(machine, SMALL);
  const refused = async (env: NodeJS.ProcessEnv): Promise<string> => {
    const { code, stdout, stderr } = await invoke(
      machine,
      ['mount', layer, 'merged', '--driver', 'fuse-overlayfs'],
      env,
    );
    t.is(stdout, '');
    return `${code} ${stderr}`;
  };
  t.is(
    await refused(fakeHost(machine, 'fuse-overlayfs 2.0.1')),
    '1 crfs: fuse-overlayfs 2.0.1 has no plugins: it would leave the layers out; install one from 0.7 to 1.x\n',
  );
  t.is(
    await refused(fakeHost(machine, 'fuse-overlayfs: version 0.6.5')),
    '1 crfs: fuse-overlayfs 0.6.5 is too old for plugins; install one from 0.7 to 1.x\n',
  );
  t.is(await refused(fakeHost(machine, 'hello')), '1 crfs: fuse-overlayfs --version tells no version\n');
});

test('what makes no sense is refused before anything is mounted', async (t) => {
  const machine = place(t);
  const layer = await layerOf(machine, SMALL);
  const refused = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await invoke(machine, ['mount', layer, ...args]);
    t.is(stdout, '');
    return `${code} ${stderr}`;
  };
  machine.directory('a:b');
  t.regex(await refused('merged', '--upper', 'upper'), /^2 crfs: --upper and --work go together/);
  t.is(await refused('no'), '1 crfs: the mountpoint "no": there is no such directory\n');
  t.regex(
    await refused('merged', '--lower', 'a:b', '--driver', 'fuse-overlayfs'),
    /^2 crfs: the lower directory .* has a colon in it/,
  );
  t.is(await refused('merged', '-o', 'x,upperdir=u'), '2 crfs: -o upperdir: crfs sets it by itself: --upper\n');
});

test('what the plugin says of a layer is all that is said', async (t) => {
  const machine = place(t);
  writeFileSync(join(machine.root, 'no-layer'), 'no layer');
  const { code, stdout, stderr } = await invoke(machine, ['mount', './no-layer', 'merged']);
  t.is(`${code}${stdout}`, '1');
  t.regex(stderr, /^crfs: \S+\/no-layer: .*no layer that can be mounted.*stargzify.*\n$/);
});

for (const how of [[], ['--foreground']]) {
  test(`an option that no driver knows is refused: ${how.join('') || 'in the background'}`, async (t) => {
    const machine = place(t);
    const layer = await layerOf(machine, SMALL);
    const neither = "the kernel's overlay cannot be had: -o OPTION: it has no such option; and ";
    for (const option of ['bogus', 'bogus=1', 'no']) {
      for (const driver of ['auto', 'fuse-overlayfs']) {
        const outcome = await invoke(machine, [
          'mount',
          ...how,
          layer,
          'merged',
          '-o',
          `nodev,${option}`,
          '--driver',
          driver,
        ]);
        const first = driver === 'auto' ? neither.replace('OPTION', option) : '';
        t.deepEqual(
          outcome,
          { code: 2, stdout: '', stderr: `crfs: ${first}-o ${option}: this fuse-overlayfs has no such option\n` },
          `${option} ${driver}`,
        );
      }
    }
    t.deepEqual(readdirSync(join(machine.root, 'merged')), []);
  });
}

/** fuse-overlayfs, and then a script. */
function hostAndThen(machine: Machine, script: string): NodeJS.ProcessEnv {
  const path = join(machine.directory('fake'), 'fuse-overlayfs');
  const real = execFileSync('which', ['fuse-overlayfs'], { encoding: 'utf8' }).trim();
  writeFileSync(path, `#!/bin/sh\n${real} "$@" || exit\n[ "$1" = --version ] && exit\n${script}\n`);
  chmodSync(path, 0o755);
  return { PATH: `${join(machine.root, 'fake')}:${process.env['PATH'] ?? ''}` };
}

test('a signal that comes when fuse-overlayfs has mounted, but has not told so, leaves no mount', async (t) => {
  const machine = place(t);
  const layer = await layerOf(machine, SMALL);
  const env = { ...machine.env, ...hostAndThen(machine, 'exec sleep 1000') };
  const child = spawn(crfs, ['mount', layer, 'merged', '--driver', 'fuse-overlayfs'], {
    cwd: machine.root,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exit = once(child, 'exit');
  const said = text(child.stderr);
  await until('the layer is mounted', () => existsSync(join(machine.root, 'merged/bin/tool')));
  child.kill('SIGINT');
  t.deepEqual(await exit, [130, null]);
  t.is(await said, 'crfs: interrupted: nothing half-done is left\n');
  t.deepEqual(readdirSync(join(machine.root, 'merged')), []);
});

test('a mount stays where the daemon does not say what it serves', async (t) => {
  const machine = place(t);
  const layer = await layerOf(machine, SMALL);
  const env = hostAndThen(machine, 'rm "$XDG_CACHE_HOME/crfs-plugin/api.sock"');
  const merged = join(machine.root, 'merged');
  const { code, stdout } = await invoke(machine, ['mount', layer, 'merged', '--driver', 'fuse-overlayfs'], env);
  const pid = JSON.parse(machine.log.split('\n')[0] ?? '') as { pid: number };
  t.teardown(() => run('kill', [String(pid.pid)]).catch(() => undefined)); // it ends by itself when it sees that
  t.deepEqual(
    [code, stdout],
    [0, `${merged}: ${layer}, read-only, by fuse-overlayfs; the daemon does not tell more\n`],
  );
  t.is(readFileSync(join(merged, 'bin/tool'), 'utf8'), 'run\n');
});

test('an ordinary user is told how to mount', async (t) => {
  const machine = place(t);
  const layer = await layerOf(machine, SMALL);
  chmodSync(machine.root, 0o777);
  const tmp = machine.directory('nobody');
  chmodSync(tmp, 0o777);
  const as = ['--reuid=65534', '--regid=65534', '--clear-groups', crfs, 'mount', layer, 'merged'];
  const failed = await t.throwsAsync(run('setpriv', as, { cwd: machine.root, env: { ...machine.env, TMPDIR: tmp } }));
  t.regex(failed?.message ?? '', /crfs: mounting takes root, .* put `podman unshare` in front/);
});

test('arguments in the wrong order are told of', async (t) => {
  const machine = place(t);
  const layer = await layerOf(machine, SMALL);
  const told = async (...args: string[]): Promise<string> => (await invoke(machine, ['mount', ...args])).stderr;
  const order = `crfs: "merged" is a directory, and ${JSON.stringify(layer)} is none: the order is \`crfs mount CONFIG MERGED\`\n`;
  t.is(await told('merged', layer), order);
  t.regex(await told('lower', 'merged'), /^crfs: "lower" is a directory, no layer, and it names no registry[^\n]*\n$/);
  t.regex(await told('.', 'merged'), /^crfs: \S+: not a regular file[^\n]*\n$/);
});

test('lowerdir prints the option that fuse-overlayfs takes', async (t) => {
  const machine = place(t);
  const layer = await layerOf(machine, SMALL);
  const [lower, merged] = [join(machine.root, 'lower'), join(machine.root, 'merged')];
  const { stdout, code } = await invoke(machine, ['lowerdir', 'small.tar.esgz', 'lower']);
  t.is(code, 0);
  t.is(stdout, `lowerdir=//crfs/${Buffer.from(layer).toString('base64url')}/${lower}\n`);
  const plugins = join(crfs, '../../crfs-plugin.so');
  await run('fuse-overlayfs', ['-o', `fast_ino=1,plugins=${plugins},${stdout.trim()}`, merged], { env: machine.env });
  t.is(readFileSync(join(merged, 'usr/share/text'), 'utf8'), 'shared text\n');
  const json = JSON.parse((await invoke(machine, ['lowerdir', '--json', layer, lower])).stdout) as unknown;
  t.deepEqual(json, { configuration: layer, option: stdout.trim() });
  t.is(
    (await invoke(machine, ['lowerdir', 'localhost:5000/a/b', lower])).stdout,
    `lowerdir=//crfs/${Buffer.from('docker://localhost:5000/a/b:latest').toString('base64url')}/${lower}\n`,
  );
});

test('lowerdir prints nothing for a file that is not there, or no file', async (t) => {
  const machine = place(t);
  const lower = join(machine.root, 'lower');
  const absent = join(machine.root, 'missing.esgz');
  for (const written of ['./missing.esgz', absent, `file://${absent}`]) {
    const outcome = await invoke(machine, ['lowerdir', written, lower]);
    t.is(outcome.stderr, `crfs: ${absent}: cannot be opened: no such file or directory\n`, written);
    t.is(outcome.stdout, '');
    t.is(outcome.code, 1);
  }
  const { stderr } = await invoke(machine, ['lowerdir', './lower', lower]);
  t.is(
    stderr,
    `crfs: ${lower}: is no regular file, and so no layer: write oci:DIR or dir:DIR for an image in a directory\n`,
  );
});

remote('a mounted image holds what crfs ls lists', async (t) => {
  const machine = place(t);
  const { lower, upper } = writeWhiteoutTars(machine.directory('tars'));
  const { name } = await imageOf(t, [lower, upper]);
  const mounted = await invoke(machine, ['mount', name, 'merged']);
  t.is(mounted.code, 0, mounted.stderr);
  t.regex(
    mounted.stdout,
    /^\S+\/merged: docker:\/\/127\.0\.0\.1:\d+\/img:1, 2 layers, \d+ B, read-only, by overlay\n$/,
  );
  const merged = join(machine.root, 'merged');
  const format = ['-mindepth', '1', '-printf', '%P %m %U %s\\n'];
  const found = String(await run('find', [merged, ...format]))
    .trim()
    .split('\n');
  const listed = JSON.parse((await invoke(machine, ['ls', '-R', '--json', name])).stdout) as Facts[];
  const expected = listed.map(
    ({ path, mode, uid, size }) => `${path.slice(1)} ${Number.parseInt(mode, 8).toString(8)} ${uid} ${size}`,
  );
  t.deepEqual(found.sort(), expected.sort());
  await invoke(machine, ['umount', 'merged']);
});
