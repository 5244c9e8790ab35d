// SPDX-License-Identifier: GPL-3.0-or-later

/** Completions, in real shells on a terminal: what is typed, with tabs in it, and what the command then gets. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { LET_GO, top, until, whyNoMounts } from '../tools/machine.js';

const share = join(top, 'dist/share');
const files = {
  bash: join(share, 'bash-completion/completions/crfs'),
  zsh: join(share, 'zsh/site-functions/_crfs'),
  fish: join(share, 'fish/vendor_completions.d/crfs.fish'),
};
type Shell = keyof typeof files;

/** How a shell is started, and what has it write the arguments of `crfs` to a file: each with a NUL behind it, a line a call. */
const SHELLS: Readonly<Record<Shell, readonly [start: string, setup: string]>> = {
  bash: ['bash --norc --noprofile -i', `source ${files.bash}; crfs() { printf '%s\\0' "$@" >>out; echo >>out; }`],
  zsh: [
    'zsh -f -i',
    `fpath=(${join(share, 'zsh/site-functions')} $fpath); autoload -U compinit; compinit -u -D; ` +
      `crfs() { printf '%s\\0' "$@" >>out; echo >>out }`,
  ],
  fish: [
    'fish --no-config --private -i',
    `source ${files.fish}; function crfs; printf '%s\\0' $argv >>out; echo >>out; end`,
  ],
};

const CASES: readonly (readonly [typed: string, got: readonly string[]])[] = [
  ['crfs verif\t', ['verify']],
  ['crfs cache ver\t', ['cache', 'verify']],
  ['crfs help lowe\t', ['help', 'lowerdir']],
  ['crfs help mount\t x', ['help', 'mount', 'x']], // mount-helper is for mount(8), and not shown
  ['crfs --vers\t', ['--version']],
  ['crfs umount --la\t x', ['umount', '--lazy', 'x']],
  ['crfs mount --driver ov\t', ['mount', '--driver', 'overlay']],
  ['crfs mount --driver=fuse-o\t', ['mount', '--driver=fuse-overlayfs']],
  ['crfs stargzify --src-tls-verify fa\t', ['stargzify', '--src-tls-verify', 'false']],
  ['crfs cache gc --js\t', ['cache', 'gc', '--json']],
  ['crfs umount pla\t', ['umount', 'place with spaces']], // and not the file beside it
  ['crfs mount --upper pla\t x', ['mount', '--upper', 'place with spaces', 'x']],
  [
    'crfs mount localhost:5000/img:tag --upper pla\t',
    ['mount', 'localhost:5000/img:tag', '--upper', 'place with spaces'],
  ],
  ['crfs verify layer\t', ['verify', 'layer.esgz']],
  ['crfs ls stat --js\t', ['ls', 'stat', '--json']], // `stat` is a name here
];

/** These two know at which place something stands, also behind what they split words at. */
const PLACES: typeof CASES = [
  ['crfs mount localhost:5000/img:tag pla\t', ['mount', 'localhost:5000/img:tag', 'place with spaces']],
  ['crfs mount --driver overlay x pla\t', ['mount', '--driver', 'overlay', 'x', 'place with spaces']],
];

/** Where something is mounted, other directories are not what is meant. */
const MOUNTED: typeof CASES = [
  ['crfs umount mou\t', ['umount', 'mounted: here']],
  ['crfs umount --lazy x mou\t', ['umount', '--lazy', 'x', 'mounted: here']],
  ['crfs trace HERE/mou\t', ['trace', 'HERE/mounted: here']],
  ['crfs mount --upper mous\t x', ['mount', '--upper', 'moustache', 'x']],
  ['crfs umount mous\t', ['umount', 'moustache']], // it can be one of another namespace
];

/** Mounts what looks like a mount of layers, in a namespace where there is no other. */
const MOUNT = `${LET_GO}; mount -t overlay crfs -o ro,'lowerdir=moustache:place with spaces' 'mounted: here'`;

async function complete(t: ExecutionContext, shell: Shell, cases: typeof CASES, mount?: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'crfs-complete-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  for (const name of ['place with spaces', 'mounted: here', 'moustache']) mkdirSync(join(directory, name));
  for (const name of ['place.esgz', 'layer.esgz']) writeFileSync(join(directory, name), '');
  const out = join(directory, 'out');
  const [start, setup] = SHELLS[shell];
  const env = { PATH: process.env['PATH'], HOME: directory, TERM: 'vt100', LC_ALL: 'C.UTF-8' };
  const first = mount === undefined ? start : 'unshare -m sh -c "$MOUNT"';
  const terminal = spawn('script', ['-qec', `stty cols 200; exec ${first}`, '/dev/null'], {
    cwd: directory,
    env: { ...env, MOUNT: `${mount}; exec ${start}` },
    stdio: 'pipe',
  });
  let screen = '';
  terminal.stdout.on('data', (piece) => {
    screen += String(piece);
  });
  const ended = once(terminal, 'exit');
  terminal.stdin.write(`${setup}\ncrfs ready\n`);
  const calls = (): string[] => (existsSync(out) ? readFileSync(out, 'utf8').split('\n').slice(0, -1) : []);
  await until(`${shell} is ready`, () => calls().length > 0);
  for (const [i, [typed]] of cases.entries()) {
    terminal.stdin.write(`${typed.replace('HERE', directory)}\n`);
    await until(`${shell} has called the command: ${typed}`, () => calls().length > i + 1);
  }
  terminal.stdin.end('exit\n');
  await ended;
  const got = calls()
    .slice(1)
    .map((line) =>
      line
        .split('\0')
        .slice(0, -1)
        .map((word) => word.replace(directory, 'HERE').replace(/\/$/, '')),
    );
  t.deepEqual(
    got,
    cases.map(([, wanted]) => wanted),
    screen,
  );
}

for (const shell of Object.keys(files) as Shell[]) {
  const there = (process.env['PATH'] ?? '').split(':').some((path) => existsSync(join(path, shell)));
  const testing = there ? test : test.skip;
  testing(`${shell} completes`, complete, shell, shell === 'fish' ? CASES : [...CASES, ...PLACES]);
  const mounting = there && whyNoMounts() === undefined ? test : test.skip;
  mounting(`${shell} completes where layers are mounted`, complete, shell, MOUNTED, MOUNT);
}
