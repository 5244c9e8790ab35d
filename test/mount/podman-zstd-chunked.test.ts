// SPDX-License-Identifier: GPL-3.0-or-later

/** Layers in zstd:chunked that conversions write, as the real podman and skopeo take them. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { noise, text } from '../tools/content.js';
import { extractTar } from '../tools/extract.js';
import { type Machine, mountingTest, whyNoMounts } from '../tools/machine.js';
import { writeNastyTar } from '../tools/nasty-tar.js';
import { inNamespace, podmanMachine, whyNoPodmanOfRoot } from '../tools/podman.js';
import { configure } from '../tools/podman-store.js';
import { sha256 } from '../tools/read-layer.js';
import { type Registry, startRegistry } from '../tools/registry.js';
import { run } from '../tools/run.js';
import { compareTrees, describeTree, type Tree } from '../tools/tree.js';
import { layoutOf } from '../tools/zstd-chunked.js';

const test = mountingTest(whyNoMounts() ?? whyNoPodmanOfRoot());

const KIB = 1024;

interface Manifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly mediaType: string; readonly digest: string; readonly size: number }[];
}

interface Setting {
  readonly machine: Machine;
  readonly registry: Registry;
}

async function setting(t: ExecutionContext): Promise<Setting> {
  const machine = podmanMachine(t);
  const registry = await startRegistry({ root: machine.directory('registry') });
  t.teardown(() => registry.stop());
  return { machine, registry };
}

/** A machine whose podman fetches parts of layers where it can, without a store. */
function configurePartial(machine: Machine, host: string): void {
  configure(machine, host);
  const graph = `graphroot = "${machine.directory('home/graph')}"\nrunroot = "${machine.directory('run/containers')}"`;
  const pull = 'pull_options = {enable_partial_images = "true", use_hard_links = "false", ostree_repos = ""}';
  writeFileSync(
    machine.env['CONTAINERS_STORAGE_CONF'] ?? '',
    `[storage]\ndriver = "overlay"\n${graph}\n[storage.options]\n${pull}\n`,
  );
}

/** A tar that GNU tar wrote, of files of many sizes, links, owners, times and attributes, and what `more` puts there. */
async function tarOfFiles(
  machine: Machine,
  name: string,
  more?: (tree: string) => void | Promise<void>,
): Promise<string> {
  const tree = machine.directory(`tree-${name}`);
  await more?.(tree);
  mkdirSync(join(tree, 'sub/deep'), { recursive: true });
  const sizes = [0, 1, 4095, 65_536, 700 * KIB, 5000 * KIB];
  for (const size of sizes) writeFileSync(join(tree, `sub/${size}`), size % 3 === 0 ? text(size) : noise(size));
  writeFileSync(join(tree, 'sub/holes'), Buffer.concat([text(3), Buffer.alloc(9000 * KIB), text(7)]));
  const script = `cd "$1"; ln sub/4095 hard; ln -s sub/1 soft; ln -s /nowhere sub/deep/ü; chmod 2750 sub
    setfattr -n user.a -v b sub/1; chown 12:34 sub/1 sub/deep; chmod 4755 sub/1
    find . -exec touch -h -d '2020-01-02 03:04:05.123456789' {} +`;
  await run('sh', ['-ec', script, 'sh', tree]);
  return await tarOf(machine, name, tree);
}

/** What GNU tar makes of a directory. */
async function tarOf(machine: Machine, name: string, tree: string): Promise<string> {
  const path = join(machine.directory('tars'), `${name}.tar`);
  await run('tar', ['-C', tree, '--format=posix', '--xattrs', '--xattrs-include=*', '-cf', path, '.']);
  return path;
}

async function treeOf(machine: Machine, tar: string): Promise<Tree> {
  const directory = machine.directory('expected');
  await run('sh', ['-ec', 'rm -rf "$1"; mkdir "$1"', 'sh', directory]);
  await extractTar(tar, directory);
  return await describeTree(directory);
}

/** Makes an image of a tar in a layout, and has it converted to `to`. Resolves to the digest of its config. */
async function converted({ machine, registry }: Setting, tar: string, name: string): Promise<string> {
  const bytes = readFileSync(tar);
  const layout = join(machine.root, `layout-${name}`);
  layoutOf(layout, [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', bytes, diffId: sha256(bytes) }]);
  const to = `${registry.host}/${name}:1`;
  await run('crfs', ['stargzify', '-q', '--format', 'zstd:chunked', `oci:${layout}:1`, `docker://${to}`], {
    env: machine.env,
  });
  const from = JSON.parse(String(await run('skopeo', ['inspect', '--raw', `oci:${layout}:1`]))) as Manifest;
  return from.config.digest;
}

async function manifestOf(name: string): Promise<Manifest> {
  return JSON.parse(String(await run('skopeo', ['inspect', '--raw', '--tls-verify=false', name]))) as Manifest;
}

/** What podman makes of an image: its tree, and what it has logged. */
async function pulled(machine: Machine, image: string): Promise<{ id: string; log: string; tree: Tree }> {
  const script = `podman --log-level=debug pull -q "$1" >"$2-id" 2>"$2-log"
    cp -a "$(podman image mount "$(cat "$2-id")")" "$2"; podman image unmount -a >/dev/null`;
  const to = join(machine.root, `pulled-${sha256(Buffer.from(image)).slice(-8)}`);
  await inNamespace(machine, 'true', ['sh', '-ec', script, 'sh', image, to]);
  const [id, log] = ['id', 'log'].map((what) => readFileSync(`${to}-${what}`, 'utf8')) as [string, string];
  return { id: id.trim(), log, tree: await describeTree(to) };
}

test('podman pulls what was converted, of which it knows no parts, whole and right', async (t) => {
  const all = await setting(t);
  const { machine, registry } = all;
  configurePartial(machine, registry.host);
  const nasty = writeNastyTar(machine.directory('tars'));
  const tree = machine.directory('nasty');
  await extractTar(nasty.path, tree); // podman takes no tar in which a name stands twice
  const tar = await tarOf(machine, 'nasty-again', tree);
  const config = await converted(all, tar, 'nasty');
  const { id, log, tree: found } = await pulled(machine, `${registry.host}/nasty:1`);
  t.is(`sha256:${id}`, config, 'the ID of the image stays');
  t.notRegex(log, /Retrieved partial blob/);
  // podman itself has no times before 1970 and no empty attributes, and the mode of the root is its own
  const lost = /^"(\.|meta\/(mtime-.*|xattrs|hard-to-xattrs))": (mode|mtime|xattrs) is /;
  t.true(found.size > 100);
  t.deepEqual(
    compareTrees(found, await treeOf(machine, tar)).filter((line) => !lost.test(line)),
    [],
  );
});

/** Has a manifest name the TOC as podman 4.3 looks for it, too. */
async function nameAsBefore({ registry }: Setting, name: string): Promise<void> {
  const manifest = (await manifestOf(`docker://${registry.host}/${name}:1`)) as Manifest & {
    layers: { annotations: Record<string, string> }[];
  };
  for (const layer of manifest.layers) {
    const own = Object.entries(layer.annotations);
    const before = own.map(([key, value]) => [key.replace('io.github.containers.', 'io.containers.'), value]);
    layer.annotations = Object.fromEntries([...own, ...before]) as Record<string, string>;
  }
  const headers = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' };
  const body = JSON.stringify({ ...manifest, schemaVersion: 2 });
  const { status } = await fetch(`${registry.url}/v2/${name}/manifests/1`, { method: 'PUT', headers, body });
  if (status !== 201) throw new Error(`the registry says ${status}`);
}

test('podman finds parts of what was converted where they are said to be, and fetches no file that it has', async (t) => {
  const all = await setting(t);
  const { machine, registry } = all;
  configurePartial(machine, registry.host);
  const pull = async (name: string, tar: string): Promise<string> => {
    await converted(all, tar, name);
    await nameAsBefore(all, name);
    const { log, tree } = await pulled(machine, `${registry.host}/${name}:1`);
    t.regex(log, /Retrieved partial blob/);
    // podman 4.3 itself loses owners and times on this way
    const lost = /: (uid|gid|mtime) is |^"sub\/1": mode is 755, expected 4755$/;
    t.deepEqual(
      compareTrees(tree, await treeOf(machine, tar)).filter((line) => !lost.test(line)),
      [],
    );
    return log;
  };
  await pull('one', await tarOfFiles(machine, 'one'));
  const more = noise(300 * KIB, 5);
  const log = await pull('two', await tarOfFiles(machine, 'two', (tree) => writeFileSync(join(tree, 'more'), more)));
  t.is(/Missing (\d+) bytes out of \d+/.exec(log)?.[1], `${more.length}`, 'of the one file that it has not');
});

test('skopeo copies what was converted as it is, from a registry to a layout and back', async (t) => {
  const all = await setting(t);
  const { machine, registry } = all;
  configure(machine, registry.host);
  const config = await converted(all, await tarOfFiles(machine, 'one'), 'one');
  const manifest = await manifestOf(`docker://${registry.host}/one:1`);
  t.is(manifest.config.digest, config);
  t.deepEqual(
    manifest.layers.map(({ mediaType }) => mediaType),
    ['application/vnd.oci.image.layer.v1.tar+zstd'],
  );
  const layout = `oci:${machine.directory('copied')}:1`;
  const copy = ['--insecure-policy', 'copy', '-q', '--preserve-digests'];
  await run('skopeo', [...copy, '--src-tls-verify=false', `docker://${registry.host}/one:1`, layout]);
  await run('skopeo', [...copy, '--dest-tls-verify=false', layout, `docker://${registry.host}/back:1`]);
  t.deepEqual(await manifestOf(`docker://${registry.host}/back:1`), manifest);
  for (const name of [layout, `docker://${registry.host}/back:1`]) {
    const said = await run('crfs', ['verify', '--json', name], { env: machine.env });
    const { layers } = JSON.parse(String(said)) as { layers: { kind: string; problems: string[] }[] };
    t.like(layers, [{ kind: 'zstd:chunked', problems: [], verifiable: true }]);
  }
});
