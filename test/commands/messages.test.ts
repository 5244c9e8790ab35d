// SPDX-License-Identifier: GPL-3.0-or-later

/** What a person is told who has mistyped something. */

import { join } from 'node:path';
import test from 'ava';
import { createProgram } from '../../src/main/program.js';
import { writeTar } from '../tools/tar-writer.js';
import { imageOf, invoke, layerOf, makeMachine, registryTest, SMALL } from './setting.js';

const NO_REGISTRY = (name: string): string =>
  `it names no registry, and there is no alias for it: write registry/${name}, or set ` +
  'unqualified-search-registries in registries.conf';
const ALONE = (name: string): string =>
  `it names a registry without an image, or an image without a registry: write ${name}/name or registry/${name}, or ` +
  'set unqualified-search-registries in registries.conf';
const NO_NAME = "is not an image reference: the image's name is missing";

const OF_PODMAN = 'what else `podman run` takes goes behind -o, as -o --memory=1g; see `crfs run --help`';
const STAYS = '`crfs run` stays until the container ends: put it into the background';

/** Of a directory with a layer `small.tar.esgz`, its tar `small.tar` and a directory `dir`. */
const TOLD: readonly (readonly [command: string, code: number, told: string])[] = [
  ['cache gc --max-size 1M', 2, "unknown option '--max-size'; see `crfs cache gc --help`"],
  ['cache frob', 2, "unknown command 'frob'; see `crfs cache --help`"],
  ['frob --help', 2, "unknown command 'frob'; see `crfs --help`"],
  ['cache frob --help', 2, "unknown command 'frob'; see `crfs cache --help`"],
  ['help frob', 2, "unknown command 'frob'; see `crfs --help`"],
  ['help cache frob', 2, "unknown command 'frob'; see `crfs cache --help`"],
  ['cache help frob', 2, "unknown command 'frob'; see `crfs cache --help`"],
  ['help ls frob', 2, "unknown command 'frob'; see `crfs ls --help`"],
  ['mount', 2, "missing required argument 'config'; see `crfs mount --help`"],
  ['stop now', 2, "too many arguments for 'stop'. Expected 0 arguments but got 1; see `crfs stop --help`"],
  ['stargzify nofile x.esgz', 2, `there is no file "nofile", and ${NO_REGISTRY('nofile')}`],
  ['stargzify dir x.esgz', 2, `"dir" is a directory, no layer, and ${NO_REGISTRY('dir')}`],
  ['stargzify ./nofile x.esgz', 1, 'cannot read ./nofile: no such file or directory'],
  ['run --memory 1g host/a', 2, `unknown option '--memory': ${OF_PODMAN}`],
  ['run --rm -p=80:80 host/a', 2, `unknown option '-p=80:80': ${OF_PODMAN}`],
  ['run -itd host/a', 2, `unknown option '-d': ${OF_PODMAN}`],
  ['run -o --detach host/a', 2, `-o --detach: ${STAYS}`],
  ['run -o -td host/a', 2, `-o -td: ${STAYS}`],
  ['run -o memory=1g host/a', 2, '-o memory=1g: write an option of `podman run` in one, as -o --memory=1g'],
  ['run -o -- host/a', 2, '-o --: write an option of `podman run` in one, as -o --memory=1g'],
  [
    'stargzify small.tar nodir/x.esgz',
    2,
    'small.tar is a single layer, and goes to a file: there is no directory "nodir"',
  ],
  [
    'stargzify small.tar -',
    2,
    'small.tar is a single layer, and goes to a file: it is not written to standard output; ./- is a file of that name',
  ],
  ['stargzify small.tar dir', 2, 'small.tar is a single layer, and goes to a file: dir is a directory'],
  ['stargzify small.tar oci:x', 2, 'small.tar is a single layer, and goes to a file: oci:x is for an image'],
  [
    'stargzify small.tar host:5000/x',
    2,
    'small.tar is a single layer, and goes to a file: there is no directory "host:5000", and a registry takes only images',
  ],
  ['stargzify small.tar ', 2, 'small.tar is a single layer, and goes to a file: no file is named'],
  ['stargzify --all-platforms small.tar x', 2, '--all-platforms has no effect on small.tar: it is for images'],
  ['stargzify --src-creds a:b oci:a oci:b', 2, '--src-creds has no effect on oci:a: it is for registries'],
  ['stargzify --src-tls-verify=false oci:a host/b', 2, '--src-tls-verify has no effect on oci:a: it is for registries'],
  ['stargzify --dest-authfile c host/a oci:b', 2, '--dest-authfile has no effect on oci:b: it is for registries'],
  ['stargzify --authfile c oci:a oci:b', 2, '--authfile has no effect on oci:a and oci:b: it is for registries'],
  ['ls --creds a:b small.tar.esgz', 2, '--creds has no effect on small.tar.esgz: it is for registries'],
  ['stat --authfile c oci:a /', 2, '--authfile has no effect on oci:a: it is for registries'],
  ['cat --cert-dir c oci:a /x', 2, '--cert-dir has no effect on oci:a: it is for registries and URLs'],
  ['verify --platform linux/arm64 http://host/x', 2, '--platform has no effect on http://host/x: it is for images'],
  ['lowerdir --creds a:b file:///x /', 2, '--creds has no effect on file:///x: it is for registries'],
  ['mount --tls-verify=false ./x dir', 2, '--tls-verify has no effect on ./x: it is for registries and URLs'],
  [
    'stargzify -q --json a b',
    2,
    "option '--json' cannot be used with option '-q, --quiet'; see `crfs stargzify --help`",
  ],
  [
    'stargzify containers-storage:localhost/x oci:y',
    2,
    '"containers-storage:localhost/x" is not an image reference: containers-storage: keeps no layers as they were: `skopeo copy` makes oci:DIR of it',
  ],
  [
    'stargzify docker://localhost/a dir:y',
    2,
    'docker://localhost/a is an image, and goes to one: dir:y is only read: write oci:DIR[:TAG]',
  ],
  [
    'ls docker-daemon:x',
    2,
    '"docker-daemon:x" is not an image reference: docker-daemon: keeps no layers as they were: `skopeo copy` makes oci:DIR of it',
  ],
  ['ls dir:', 2, '"dir:" names no image: write dir:DIR'],
  ['ls dir:x:tag', 2, '"dir:x:tag" names no image: write dir:DIR'],
  [
    'mount oci-archive:x dir',
    2,
    'oci-archive:x: can be looked into, but not mounted, as its layers are no files: unpack it: `skopeo copy oci-archive:x oci:DIR`',
  ],
  [
    'mount --platform linux/arm64 oci:x dir',
    2,
    'oci:x: --platform chooses among images of a registry: name it by its digest, oci:DIR:@sha256:…',
  ],
  ['ls oci:', 2, '"oci:" names no image: write oci:DIR[:TAG]'],
  ['stargzify oci-archive::tag oci:x', 2, '"oci-archive::tag" names no image: write oci-archive:FILE[:TAG]'],
  ['cat docker-archive: /x', 2, '"docker-archive:" names no image: write docker-archive:FILE[:NAME]'],
  ['ls img:1', 2, `there is no file "img:1", and ${NO_REGISTRY('img:1')}`],
  ['ls localhost:5000', 2, `there is no file "localhost:5000", and ${ALONE('localhost:5000')}`],
  ['ls reg.example:443', 2, `there is no file "reg.example:443", and ${ALONE('reg.example:443')}`],
  ['ls [::1]:5000', 2, `there is no file "[::1]:5000", and it ${NO_NAME}`],
  ['ls docker://', 2, `"docker://" ${NO_NAME}`],
  ['ls docker://host/', 2, `"docker://host/" ${NO_NAME}`],
  ['cat docker://localhost:5000/:tag /x', 2, `"docker://localhost:5000/:tag" ${NO_NAME}`],
  ['stargzify docker:// oci:x', 2, `"docker://" ${NO_NAME}`],
  ['stargzify oci:x docker://', 2, `oci:x is an image, and goes to one: "docker://" ${NO_NAME}`],
  ['mount docker://host/ dir', 2, `"docker://host/" ${NO_NAME}`],
  ['ls ', 2, `"" ${NO_NAME}`],
  ['stargzify  oci:x', 2, `"" ${NO_NAME}`],
  ['stargzify oci:x ', 2, `oci:x is an image, and goes to one: "" ${NO_NAME}`],
  ['umount ', 2, 'no mountpoint is named'],
  [
    'mount oci:x no\ufffd',
    1,
    'the mountpoint "no\ufffd": there is no such directory, and one whose name is not UTF-8 is not taken',
  ],
  ['verify Docker://host/a', 2, '"Docker://host/a" is not an image reference: write docker: in small letters'],
  ['ls OCI:x', 2, '"OCI:x" is not an image reference: write oci: in small letters'],
  [
    'inspect ostree:x',
    2,
    '"ostree:x" is not an image reference: nothing is known of ostree:, only of docker://NAME, oci:DIR[:TAG], dir:DIR, oci-archive:FILE[:TAG] and docker-archive:FILE[:NAME]',
  ],
  ['ls HTTP://localhost:99999/x', 2, 'not a URL of a layer: its host or port makes no sense'],
  ['verify --platform linux/arm64 HTTPS://host/x', 2, '--platform has no effect on HTTPS://host/x: it is for images'],
  ['ls FILE://host/x', 2, 'FILE://host/x names no local file: write file:///PATH, with %25 for a % in it'],
  ['ls file://host/x', 2, 'file://host/x names no local file: write file:///PATH, with %25 for a % in it'],
  ['mount file:///a%zz dir', 2, 'file:///a%zz names no local file: write file:///PATH, with %25 for a % in it'],
  ['ls http://localhost:99999/x', 2, 'not a URL of a layer: its host or port makes no sense'],
  ['ls small.tar.esgz nope', 1, '"nope": there is no "/nope" in small.tar.esgz'],
  ['cat --layer 1 small.tar.esgz /nope', 1, 'there is no "/nope" in layer 1 of small.tar.esgz'],
  ['ls --layer 3 small.tar.esgz', 1, 'small.tar.esgz has only layer 1: there is no layer 3'],
  ['profile show --html dir host/a', 2, '--html dir: is a directory: name a file'],
  ['profile show --html - host/a', 2, '--html -: it is not written to standard output; ./- is a file of that name'],
  ['profile show host/a --html ', 2, '--html names no file'],
  ['trace dir --html .', 2, '--html .: is a directory: name a file'],
  ['trace dir --html -', 2, '--html -: it is not written to standard output; ./- is a file of that name'],
  ['stargzify --prioritize dir small.tar x', 1, 'cannot read dir: is a directory'],
  ['stargzify --profile ./dir small.tar x', 1, 'cannot read ./dir: is a directory'],
  ['ls -l --json small.tar.esgz', 2, '--json prints all that -l does: give one of them'],
];

test('what was mistyped is told in one line, in the words that were typed', async (t) => {
  const machine = makeMachine(t);
  await layerOf(machine, SMALL);
  machine.directory('dir');
  for (const [command, code, told] of TOLD) {
    const outcome = await invoke(machine, command.split(' '));
    const json = JSON.stringify({ error: { code: 'CRFS_USAGE', message: told } });
    const stderr = command.includes('--json') ? json : `crfs: ${told}`;
    t.deepEqual(outcome, { code, stdout: '', stderr: `${stderr}\n` }, command);
  }
});

registryTest('a layer that an image does not have is told of by the name that was typed', async (t) => {
  const machine = makeMachine(t);
  const tar = join(machine.root, 'image.tar');
  writeTar(tar, SMALL);
  const { name } = await imageOf(t, [tar, tar]);
  const { stderr } = await invoke(machine, ['ls', name, '--layer', '3']);
  t.is(stderr, `crfs: ${name} has 2 layers, of which 1 is the base: there is no layer 3\n`);
});

test('every command has examples in its help, which fits into a terminal of 80 columns', async (t) => {
  const machine = makeMachine(t);
  const { stdout } = await invoke(machine, ['--help']);
  for (const line of stdout.split('\n')) t.true(line.length <= 80, line);
  const names = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name = '']) => name).filter((name) => name !== 'help');
  t.true(names.length > 10);
  const { commands } = await createProgram();
  const parts = commands.flatMap((command) => command.commands.map((part) => [command.name(), part.name()]));
  t.true(parts.length > 8);
  for (const words of [...names.map((name) => [name]), ...parts.filter(([, part]) => part !== 'help')]) {
    const help = await invoke(machine, [...words, '--help']);
    for (const line of help.stdout.split('\n')) t.true(line.length <= 80, line);
    t.regex(help.stdout, new RegExp(`\\n\\nExamples?:\\n(.*\\n)*?.*crfs ${words.join(' ')}`), words.join(' '));
  }
});
