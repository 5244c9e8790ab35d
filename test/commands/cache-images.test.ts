// SPDX-License-Identifier: GPL-3.0-or-later

/** The cache by images: fetched without a mount, listed, pinned, removed. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { CachedImage } from '../../src/main/cache/images.js';
import type { Trimmed } from '../../src/main/cache/trim.js';
import { sameBytes } from '../tools/bytes.js';
import { noise } from '../tools/content.js';
import { pushTars } from '../tools/image.js';
import { type Machine, mountingTest, until, whyNoMounts } from '../tools/machine.js';
import { sha256 } from '../tools/read-layer.js';
import { missing, type Registry, startRegistry } from '../tools/registry.js';
import { makeImage, pushImage, type TestImage } from '../tools/registry-image.js';
import { run } from '../tools/run.js';
import { writeTar } from '../tools/tar-writer.js';
import { invoke, makeMachine, onTerminal, stalling, startOnTerminal } from './setting.js';

const test = mountingTest(whyNoMounts() ?? (missing.length > 0 ? `no ${missing.join(', no ')}` : undefined));

const CONTENT = { base: noise(300_000), one: noise(200_000), two: noise(100_000) };

interface Setting {
  readonly machine: Machine;
  readonly registry: Registry;
  /** Their names, and what they are: the base layer is one and the same. */
  readonly names: readonly [string, string];
  readonly images: readonly [TestImage, TestImage];
}

/** Two images that have their base in common. */
async function twoImages(t: ExecutionContext, settings: Record<string, string> = {}): Promise<Setting> {
  const machine = makeMachine(t, settings);
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const tar = (name: keyof typeof CONTENT): string => {
    const path = join(machine.directory('tars'), `${name}.tar`);
    writeTar(path, [{ name, content: CONTENT[name] }]);
    return path;
  };
  const names = [`${registry.host}/img:1`, `${registry.host}/img:2`] as const;
  const images = [
    await pushTars([tar('base'), tar('one')], names[0]),
    await pushTars([tar('base'), tar('two')], names[1]),
  ] as const;
  return { machine, registry, names, images };
}

/** What a command says, with its exit code before it. */
async function told(machine: Machine, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await invoke(machine, args);
  return `${code} ${stdout}${stderr}`;
}

/** Mounts an image, and reads these files of it. */
async function readOf(
  t: ExecutionContext,
  machine: Machine,
  image: string,
  files: readonly (keyof typeof CONTENT)[],
): Promise<void> {
  const merged = machine.directory('merged');
  t.regex(await told(machine, 'mount', image, 'merged'), /^0 /);
  for (const file of files) sameBytes(t, readFileSync(join(merged, file)), CONTENT[file]);
  t.is(await told(machine, 'umount', 'merged'), `0 ${merged}: unmounted\n`);
}

/** Which files have their content in the cache, be it read or fetched. */
function kept({ objects }: Machine): string[] {
  const names = new Set(readdirSync(objects).flatMap((two) => readdirSync(join(objects, two))));
  return Object.entries(CONTENT)
    .flatMap(([file, content]) => (names.delete(sha256(content).slice('sha256:'.length)) ? [file] : []))
    .concat([...names]);
}

test('prefetch fetches all of an image, which is then mounted without its registry, and is listed', async (t) => {
  const { machine, registry, names, images } = await twoImages(t, { CRFS_BACKGROUND: 'off' });
  t.is(await told(machine, 'cache', 'ls'), '0 The cache holds no image.\n');
  const [name] = names;
  const [image] = images;
  const size = image.layers.reduce((sum, layer) => sum + layer.size, 0);
  const text = `docker://${name}: 2 layers, ${(size / 1024).toFixed(1)} KiB, all here\n`;
  const { code, stdout, stderr } = await invoke(machine, ['prefetch', name]);
  t.deepEqual([code, stdout], [0, text]);
  for (const { digest } of image.layers) t.true(stderr.includes(digest.slice(0, 19)), stderr);
  const again = await invoke(machine, ['prefetch', '--json', name]);
  t.is(again.stderr, '');
  t.like(JSON.parse(again.stdout), { name: `docker://${name}`, pinned: false });
  t.like(JSON.parse(again.stdout).layers[1], { size: image.layers[1]?.size, present: image.layers[1]?.size });
  await registry.stop();
  await readOf(t, machine, name, ['base', 'one']);
  const rows = image.layers.map(({ digest, size: bytes }, n) => [
    String(n + 1),
    digest.slice(7, 19),
    `${(bytes / 1024).toFixed(1)} KiB`,
    '100%',
  ]);
  const [head, when, columns, ...layers] = (await machine.crfs('cache', 'ls')).trimEnd().split('\n');
  t.deepEqual([head, columns], [`docker://${name}`, '  LAYER  DIGEST        SIZE       HERE']);
  t.regex(when ?? '', /^ {2}asked for 20\d\d-\d\d-\d\d \d\d:\d\d UTC$/);
  t.deepEqual(
    layers.map((line) => line.trim().split(/ {2,}/)),
    rows,
  );
});

test('a pinned image stays in the cache, until it is no longer', async (t) => {
  const { machine, registry, names } = await twoImages(t);
  const [one, two] = names;
  t.regex(await told(machine, 'prefetch', '--pin', one), /all here, pinned\n/);
  await told(machine, 'prefetch', two);
  t.regex(await told(machine, 'prefetch', one), /all here, pinned\n/, 'it is still');
  t.like(JSON.parse((await invoke(machine, ['prefetch', '--json', one])).stdout), { pinned: true });
  t.is(await told(machine, 'stop'), '0 The daemon has ended.\n');
  t.regex(await told(machine, 'cache', 'clear'), /^0 Removed .* of them for mounts or pinned\.\n$/);
  const listed = (await machine.crfs('cache', 'ls')).match(/^docker.*$/gm);
  t.deepEqual(listed, [`docker://${one}`]);
  await registry.stop();
  await readOf(t, machine, one, ['base', 'one']);
  await told(machine, 'stop');
  t.is(await told(machine, 'cache', 'unpin', one), `0 docker://${one}: no longer pinned\n`);
  t.regex(await told(machine, 'cache', 'clear'), /; 0 B are left\.\n$/);
  t.is(
    await told(machine, 'cache', 'pin', one),
    `1 crfs: the cache holds nothing of docker://${one}: \`crfs cache ls\` lists what it holds\n`,
  );
});

test('removing an image leaves what others need, and what is mounted', async (t) => {
  const { machine, registry, names } = await twoImages(t);
  const [one, two] = names;
  const prefetched = await Promise.all(names.map((name) => told(machine, 'prefetch', name))); // one starts the daemon
  for (const said of prefetched) t.regex(said, /^0 /);
  await readOf(t, machine, two, ['base', 'two']);
  await until('what was read is published', () => ['base', 'two'].every((file) => kept(machine).includes(file)));
  const merged = machine.directory('merged');
  t.teardown(() => run('umount', ['-q', merged]).catch(() => undefined));
  t.regex(await told(machine, 'mount', one, 'merged'), /^0 /);
  sameBytes(t, readFileSync(join(merged, 'one')), CONTENT.one);
  await until('what was read is published', () => kept(machine).includes('one'));
  t.is(await told(machine, 'cache', 'rm', one), `1 crfs: docker://${one} is mounted: run \`crfs umount\` first\n`);
  await told(machine, 'umount', 'merged');
  await until('the daemon knows that it is unmounted', async () => (await machine.status())?.layers.length === 0);
  t.regex(
    await told(machine, 'cache', 'rm', one),
    /^0 docker:\S+: removed 1 layer, \d+\.\d KiB; 1 layer is of another image, and stays\n$/,
  );
  t.deepEqual(kept(machine), ['base', 'two']);
  await registry.stop();
  await readOf(t, machine, two, ['base', 'two']);
  t.regex(await told(machine, 'mount', one, 'merged'), /^1 /, 'nothing of it is left');
  await told(machine, 'stop');
  t.regex(await told(machine, 'cache', 'rm', `docker://${two}`, '--json'), /^0 \{"layers":2,"kept":0,"freed":\d+\}\n$/);
  t.deepEqual(kept(machine), []);
  t.is(await told(machine, 'cache', 'ls', '--json'), '0 {"images":[],"otherLayers":0}\n');
});

/** What removing an image by a name of its that is not mounted says. */
function refused(name: string): string {
  return `1 crfs: all layers of ${name} are mounted: run \`crfs umount\` first\n`;
}

test('an image that is mounted is not removed by another name, and can be pinned', async (t) => {
  const { machine, names } = await twoImages(t);
  const [one, two] = names;
  for (const name of names) await told(machine, 'prefetch', name);
  const { images } = JSON.parse(await machine.crfs('cache', 'ls', '--json')) as { images: CachedImage[] };
  const byDigest = images.find(({ name }) => name === `docker://${one}`)?.resolved ?? '';
  const merged = machine.directory('merged');
  t.teardown(() => run('umount', ['-q', merged]).catch(() => undefined));
  t.regex(await told(machine, 'mount', byDigest, 'merged'), /^0 /);
  t.is(await told(machine, 'cache', 'rm', one), refused(`docker://${one}`));
  t.is(await told(machine, 'cache', 'rm', byDigest), refused(byDigest));
  t.is(await told(machine, 'cache', 'pin', one), `0 docker://${one}: pinned\n`);
  t.regex(await told(machine, 'cache', 'rm', two), /: removed 1 layer, .*; 1 layer is of another image, and stays\n$/);
  await told(machine, 'umount', 'merged');
  await until('the daemon knows that it is unmounted', async () => (await machine.status())?.layers.length === 0);
  t.regex(await told(machine, 'cache', 'rm', one), /: removed \d layers?, .*; it was pinned\n$/);
});

test('a line tells where a registry does not answer, and an image is what was seen last', async (t) => {
  const { machine, registry, names } = await twoImages(t);
  const [name] = names;
  t.notRegex(await told(machine, 'prefetch', name), /seen last/);
  await registry.stop();
  const merged = machine.directory('merged');
  t.teardown(() => run('umount', ['-q', merged]).catch(() => undefined));
  const LINE = /: taken as it was seen last, docker:\S+@sha256:[0-9a-f]{64}$/;
  for (const args of [
    ['prefetch', name],
    ['mount', name, merged],
  ]) {
    const { code, stdout, stderr } = await invoke(machine, args);
    const lines = stderr.trimEnd().split('\n');
    t.deepEqual([code, lines.filter((line) => LINE.test(line)).length], [0, 1], stderr);
    t.false(stdout.includes('seen last'));
  }
  t.regex(await told(machine, 'prefetch', '--json', name), /^\{"note":\{"message":".*: taken as it was seen last, /m);
  await told(machine, 'umount', 'merged');
});

test('what clearing leaves because it was used a moment ago is told as that', async (t) => {
  const { machine, names } = await twoImages(t);
  await told(machine, 'prefetch', names[0]);
  const { fresh, pinned } = JSON.parse(await machine.crfs('cache', 'clear', '--json')) as Trimmed;
  t.is(pinned, 0);
  t.true(fresh >= 0); // none, if a minute has gone by
  const text = await told(machine, 'cache', 'clear');
  t.regex(text, / are left(, .* of them used in the last minute)?\.\n$/);
  t.false(text.includes('for mounts'), text);
});

/** Whether a range begins where contents are, and not the TOC. */
function isEarly(range = ''): boolean {
  return Number(/^bytes=(\d+)-/.exec(range)?.[1] ?? Infinity) < 1 << 20;
}

test('prefetch shows how far it is, and ends at ^C', async (t) => {
  const machine = makeMachine(t, { CRFS_TIMEOUT: '3600' });
  const { proxy, name, digest } = await stalling(t, machine);
  const stall = proxy.fault;
  proxy.fault = (seen) => (seen.path.endsWith(digest) && !isEarly(seen.headers.range) ? undefined : stall(seen));
  const child = startOnTerminal(machine, ['prefetch', name]);
  let screen = '';
  child.stdout.on('data', (bytes) => {
    screen += String(bytes);
  });
  await until('a bar is there', () => /\[[=-]+\] .* of 2\.9 MiB/.test(screen));
  const ended = new Promise((resolve) => {
    child.once('close', resolve);
  });
  child.stdin.write('\x03');
  t.is(await ended, 130, screen);
  await until('the daemon has let go of it', async () => (await machine.status())?.layers.length === 0);
});

test('prefetch says what keeps an image from being fetched', async (t) => {
  const machine = makeMachine(t, { CRFS_MAX_SIZE: '100K' });
  const registry = await startRegistry();
  t.teardown(() => registry.stop());
  const tar = join(machine.directory('tars'), 'large.tar');
  writeTar(tar, [{ name: 'large', content: noise(3_000_000) }]); // its end alone comes with the TOC
  await pushTars([tar], `${registry.host}/large:1`);
  await pushImage(await makeImage(1, 1000), `${registry.host}/plain:1`);
  t.regex(
    await told(machine, 'prefetch', '--lazy=require', `${registry.host}/plain:1`),
    /^1 crfs: docker:\S+: layer sha256:\S+: has no TOC.*\n$/,
  );
  t.regex(
    await told(machine, 'prefetch', `${registry.host}/large:1`),
    /^1 .*crfs: docker:\S+: layer sha256:\S+: the cache has no room for all of it; see the setting max-size\n$/s,
  );
  t.is(await told(machine, 'prefetch', './file'), '2 crfs: ./file is a file: there is nothing to fetch\n');
  t.is(await told(machine, 'prefetch', 'oci:d:1'), '2 crfs: oci:d:1 is on disk: there is nothing to fetch\n');
  t.regex((await onTerminal(machine, ['prefetch', `${registry.host}/none:1`])).screen, /crfs: .*none/);
});
