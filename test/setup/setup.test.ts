// SPDX-License-Identifier: GPL-3.0-or-later

/** `crfs setup podman` with the real podman, on a machine whose /etc and /var/lib are its own: what is written there goes to upper directories. */

import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { parse } from 'smol-toml';
import { pushTars } from '../tools/image.js';
import { crfs, LET_GO, Machine, mountingTest, top, whyNoMounts } from '../tools/machine.js';
import { missing, startRegistry } from '../tools/registry.js';
import { run } from '../tools/run.js';

const podman = (process.env['PATH'] ?? '')
  .split(':')
  .map((path) => join(path, 'podman'))
  .find((path) => existsSync(path));
const mounting = mountingTest(whyNoMounts() ?? whyNoPodman());

function whyNoPodman(): string | undefined {
  return podman === undefined ? 'podman is not installed' : undefined;
}

/** A machine's root file system, as far as set-ups change it. */
interface World {
  readonly machine: Machine;
  /** Runs a script there: what it says on both of its outputs. */
  readonly sh: (script: string) => Promise<string>;
  /** What /etc or /var/lib got at a path; undefined: nothing. */
  readonly made: (path: string) => string | undefined;
  readonly call: (...args: string[]) => Promise<string>;
}

const UNIT = '/etc/systemd/system/crfs-store.service';
const CONF = '/etc/containers/storage.conf';
const STORE = '/var/lib/crfs-plugin/store';
const LINE = 'additionallayerstores = ["/var/lib/crfs-plugin/store:ref"] # by crfs setup podman';

async function prepare(t: ExecutionContext, { systemd = false } = {}): Promise<World> {
  const machine = new Machine();
  t.teardown(() => machine.dispose());
  const [storage, bin] = ['storage', 'bin'].map((name) => machine.directory(name)) as [string, string];
  for (const name of ['etc', 'lib']) for (const part of ['upper', 'work']) machine.directory(`${name}/${part}`);
  if (systemd) machine.directory('systemd');
  const start = `case "$*" in 'enable --now '*) ${crfs} store ${STORE} ;; esac`;
  writeFileSync(join(bin, 'systemctl'), `#!/bin/sh\necho "$@" >>${machine.root}/asked\n${start}\n`, { mode: 0o755 });
  const overlay = (place: string, name: string): string =>
    `mount -t overlay -o lowerdir=${place},upperdir=${machine.root}/${name}/upper,workdir=${machine.root}/${name}/work o ${place}`;
  const before = [
    LET_GO,
    overlay('/etc', 'etc'),
    overlay('/var/lib', 'lib'),
    `mkdir -p /var/lib/containers/storage && mount --bind ${storage} /var/lib/containers/storage`,
    'mount -t tmpfs run /run',
    ...(systemd ? ['mkdir -p /run/systemd/system'] : []),
  ].join('\n');
  const env = { ...machine.env, PATH: `${bin}:${process.env['PATH']}` };
  const sh = async (script: string): Promise<string> =>
    String(await run('unshare', ['-m', 'sh', '-ec', `${before}\nexec 2>&1\n${script}`], { env, cwd: machine.root }));
  const made = (path: string): string | undefined => {
    const upper = path
      .replace(/^\/etc/, `${machine.root}/etc/upper`)
      .replace(/^\/var\/lib/, `${machine.root}/lib/upper`);
    return existsSync(upper) ? readFileSync(upper, 'utf8') : undefined;
  };
  const call = async (...args: string[]): Promise<string> => await sh(`${crfs} ${args.join(' ')} || echo "exit $?"`);
  return { machine, sh, made, call };
}

mounting('podman is set up, goes on as before, and is as it was when that is undone', async (t) => {
  const { machine, sh, made, call } = await prepare(t);
  const before = await sh('podman info --format "{{.Store.GraphDriverName}} {{.Store.GraphRoot}} {{.Store.RunRoot}}"');
  const dry = await call('setup', 'podman', '--dry-run');
  t.regex(dry, new RegExp(`^would make the directory ${STORE}\nwould make ${UNIT}\n[^]*\nwould make ${CONF}\n`));
  t.is(made(CONF), undefined);
  const said = await call('setup', 'podman');
  t.is(said, dry.replaceAll(/^would /gm, ''));
  t.true(said.includes(`\n    + ${LINE}\n`), said);
  t.true(
    said.endsWith(
      `no systemd runs here: start the store yourself, now and after each start of the machine: ${crfs} store ${STORE}\n`,
    ),
    said,
  );
  t.true(made(CONF)?.includes(LINE));
  t.is(
    await sh(
      `podman info --format "{{.Store.GraphDriverName}} {{.Store.GraphRoot}} {{.Store.RunRoot}}"; [ -d ${STORE} ]`,
    ),
    before,
  );
  t.regex(await call('setup', 'podman'), /^All of it is set up\.\nno systemd/);
  const undone = await call('setup', 'podman', '--undo');
  t.is(undone, `remove ${CONF}\nremove ${UNIT}\nremove the directory ${STORE}\n`);
  for (const path of [CONF, UNIT]) t.is(made(path), undefined);
  t.false(existsSync(join(machine.root, 'lib/upper/crfs-plugin/store')));
  t.is(await call('setup', 'podman', '--undo'), 'Nothing is set up.\n');
});

mounting('a storage.conf that is there keeps all that it says', async (t) => {
  const { machine, made, call } = await prepare(t);
  const conf =
    '# mine\n[storage]\ndriver = "overlay" # fast\nrunroot = "/run/containers/storage"\ngraphroot = "/var/lib/containers/storage"\n\n[storage.options]\n# none yet\n';
  mkdirSync(join(machine.root, 'etc/upper/containers'), { recursive: true });
  writeFileSync(join(machine.root, 'etc/upper/containers/storage.conf'), conf, { mode: 0o640 });
  t.true((await call('setup', 'podman')).includes(`change ${CONF}\n    + ${LINE}\n`));
  t.is(
    made(CONF),
    conf.replace('[storage.options]\n', (all) => `${all}${LINE}\n`),
  );
  t.true((await call('setup', 'podman', '--undo')).includes(`change ${CONF}\n    - ${LINE}\n`));
  t.is(made(CONF), conf);
});

mounting('systemd is asked to start the store before podman is told of it, and to end it', async (t) => {
  const { machine, made, call } = await prepare(t, { systemd: true });
  const said = await call('setup', 'podman', '--system');
  t.regex(
    said,
    /\nhave systemd start crfs-store\.service, now and with the machine\nwait until the store answers\nmake \/etc\/containers\/storage\.conf\n/,
  );
  t.false(said.includes('no systemd'));
  t.is(readFileSync(join(machine.root, 'asked'), 'utf8'), 'daemon-reload\nenable --now crfs-store.service\n');
  writeFileSync(join(machine.root, 'unit.service'), made(UNIT) ?? '');
  t.is(
    String(await run('sh', ['-c', 'systemd-analyze verify --man=no "$0" 2>&1', join(machine.root, 'unit.service')])),
    '',
  );
  await call('setup', 'podman', '--undo');
  t.is(
    readFileSync(join(machine.root, 'asked'), 'utf8').split('\n').slice(2).join(),
    'disable --now crfs-store.service,daemon-reload,',
  );
});

mounting('it is not undone while images or containers need the store, which are told', async (t) => {
  const { machine, sh, made, call } = await prepare(t);
  await call('setup', 'podman');
  // as podman keeps a layer from a store: the directory with its files is in the store, and a symlink leads there
  const said = await sh(`
    mkdir -p files && echo hello >files/hello
    tar -C files -c . | podman import - localhost/lazy:1 >/dev/null 2>&1
    podman create --name needy localhost/lazy:1 /hello >/dev/null
    id=$(podman image inspect --format '{{.GraphDriver.Data.UpperDir}}' localhost/lazy:1)
    mkdir -p ${STORE}/bG9jYWw=/sha256:1
    mv "$id" ${STORE}/bG9jYWw=/sha256:1/diff
    ln -s ${STORE}/bG9jYWw=/sha256:1/diff "$id"
    ${crfs} setup podman --undo || echo "exit $?"
    podman rm needy >/dev/null; ${crfs} setup podman --undo || echo "exit $?"
    podman rmi localhost/lazy:1 >/dev/null 2>&1; rm -r ${STORE}/*; ${crfs} setup podman --undo`);
  const [first, , second, , ...rest] = said.split('\n');
  t.is(
    first,
    'crfs: the container needy, the image localhost/lazy:1 need the store: first `podman rm needy; podman rmi localhost/lazy:1`',
  );
  t.is(second, 'crfs: the image localhost/lazy:1 needs the store: first `podman rmi localhost/lazy:1`');
  t.deepEqual(rest, [`remove ${CONF}`, `remove ${UNIT}`, `remove the directory ${STORE}`, '']);
  t.is(made(CONF), undefined);
  t.false(existsSync(join(machine.root, 'lib/upper/crfs-plugin/store')));
});

mounting('where podman keeps layers by something else, nothing is changed', async (t) => {
  const { machine, made, call } = await prepare(t);
  mkdirSync(join(machine.root, 'etc/upper/containers'), { recursive: true });
  const conf =
    '[storage]\ndriver = "vfs"\nrunroot = "/run/containers/storage"\ngraphroot = "/var/lib/containers/storage"\n';
  writeFileSync(join(machine.root, 'etc/upper/containers/storage.conf'), conf);
  t.regex(
    await call('setup', 'podman'),
    /^crfs: podman keeps layers by vfs, and only overlay asks stores: .*\nexit 2\n$/,
  );
  t.is(made(UNIT), undefined);
  t.is(made(CONF), conf);
});

mounting(
  'an ordinary user is set up in directories of their own, and the store runs in the namespace of podman',
  async (t) => {
    const { machine, sh } = await prepare(t);
    const uid = 1_500_000 + process.pid;
    const home = machine.directory('user');
    chmodSync(machine.root, 0o755);
    const as = `setpriv --reuid ${uid} --regid ${uid} --clear-groups env HOME=${home} XDG_RUNTIME_DIR=${home}/run XDG_CONFIG_HOME= XDG_DATA_HOME= XDG_CACHE_HOME= sh -ec`;
    const script = `
    echo "tester:x:${uid}:${uid}::${home}:/bin/sh" >>/etc/passwd
    for file in /etc/subuid /etc/subgid; do echo tester:100000000:65536 >$file; done
    umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup
    mkdir -m 700 ${home}/run && chown -R ${uid}:${uid} ${home}; cd ${home}
    trap '${as} "podman system migrate"' EXIT
    ${as} '
      ${crfs} setup podman
      podman info --format "{{.Store.GraphDriverName}} {{.Store.GraphRoot}}"
      ${crfs} setup podman --system || echo "exit $?"
      podman unshare ${crfs} setup podman || echo "exit $?"
      grep ExecStart .config/systemd/user/crfs-store.service
      ${crfs} setup podman --undo
      cat .config/containers/storage.conf'`;
    const said = (await sh(script))
      .replaceAll(home, '~')
      .replace(/^time=.*level=warning.*\n/gm, '')
      .split('\n');
    const command = `${podman} unshare ${crfs} store ~/.local/share/crfs-plugin/store --foreground`;
    t.deepEqual(
      said.filter((line) => !line.startsWith('    ')),
      [
        'make the directory ~/.local/share/crfs-plugin/store',
        'make ~/.config/systemd/user/crfs-store.service',
        'make ~/.config/containers/storage.conf',
        `no systemd runs here: start the store yourself, now and after each start of the machine: ${command.replace(' --foreground', '')}`,
        'overlay ~/.local/share/containers/storage', // not vfs, which a podman without storage.conf may choose for good
        'crfs: --system takes root',
        'exit 1',
        "crfs: this is podman's namespace: run it without `podman unshare`",
        'exit 2',
        `ExecStart=${command}`,
        'change ~/.config/containers/storage.conf',
        'remove ~/.config/systemd/user/crfs-store.service',
        'remove the directory ~/.local/share/crfs-plugin/store',
        '# made by crfs setup podman, where there was none',
        '[storage]',
        'driver = "overlay"',
        '',
      ],
    );
    t.true(
      said.includes('    + additionallayerstores = ["~/.local/share/crfs-plugin/store:ref"] # by crfs setup podman'),
    );
  },
);

mounting('a podman that reads drop-in files gets one, and storage.conf is left alone', async (t) => {
  const { machine, made, call } = await prepare(t);
  const info = {
    version: { Version: '6.0.1' },
    host: { security: { rootless: false } },
    store: { graphDriverName: 'overlay', graphRoot: '/g', runRoot: '/r', graphOptions: {} },
  };
  const script = `[ "$1" = info ] && echo '${JSON.stringify(info)}' || echo podman version 6.0.1`;
  writeFileSync(join(machine.root, 'bin/podman'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  await call('setup', 'podman');
  const dropIn = '/etc/containers/storage.conf.d/50-crfs-plugin.conf';
  t.deepEqual(parse(made(dropIn) ?? ''), {
    storage: { options: { additionallayerstores: [`${STORE}:ref`, { append: true }] } },
  });
  t.is(made(CONF), undefined);
  t.regex(await call('setup', 'podman', '--undo'), new RegExp(`^remove ${dropIn}\n`));
  t.is(made(dropIn), undefined);
});

const running = missing.length === 0 ? mounting : mountingTest(`${missing.join(' and ')} not installed`);

running(
  'once it is set up, and the store is mounted, podman runs an image out of it, and doctor has nothing against it',
  async (t) => {
    const { machine, sh } = await prepare(t);
    const lines = '\n    crfs setup podman\n    podman run --rm localhost:5000/img:tag echo hello\n';
    t.true(readFileSync(join(top, 'README.md'), 'utf8').includes(lines), 'this is what README.md has');
    const registry = await startRegistry();
    t.teardown(() => registry.stop());
    const tar = join(machine.directory('tars'), 'echo.tar');
    const libraries = String(await run('ldd', ['/bin/echo'])).match(/\/\S+/g) ?? [];
    await run('tar', ['-C', '/', '-chf', tar, ...['/bin/echo', ...libraries].map((path) => path.slice(1))]);
    const image = `${registry.host}/img:1`;
    await pushTars([tar], image);
    const containersConf =
      '[containers]\nnetns = "none"\ncgroups = "disabled"\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n';
    writeFileSync(join(machine.root, 'containers.conf'), containersConf);
    const said = await sh(`
    set +e
    export CONTAINERS_CONF=${machine.root}/containers.conf
    trap '{ ${crfs} umount --lazy ${STORE}; ${crfs} stop; } >/dev/null 2>&1' EXIT
    umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup
    ${crfs} setup podman >/dev/null
    ${crfs} doctor | grep -A 1 "bad.* store "
    ${crfs} store ${STORE}
    ${crfs} doctor ${image} | grep -E "^(bad|ok +store|ok +registry)"
    podman run --rm --tls-verify=false ${image} echo hello 2>/dev/null
    ${crfs} setup podman --undo || true
    podman rmi ${image} >/dev/null
    ${crfs} umount ${STORE} >/dev/null
    ${crfs} setup podman --undo | tail -n 1`).catch((error: Error) => error.message);
    t.deepEqual(
      said.split('\n'),
      [
        `bad  store           nothing is mounted at ${STORE}: podman pulls as ever`,
        `                     crfs store ${STORE}`,
        `${STORE}: a store of layers`,
        `ok   store           ${STORE} answers`,
        `ok   registry        ${image} is there, of 1 layer, lazy`,
        'hello',
        `crfs: the image ${image} needs the store: first \`podman rmi ${image}\``,
        `remove the directory ${STORE}`,
        '',
      ],
      machine.log,
    );
  },
);
