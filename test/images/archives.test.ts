// SPDX-License-Identifier: GPL-3.0-or-later

/** Archives in the forms that docker and GNU tar have written them in. */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { CrfsError } from '../../src/main/errors/error.js';
import { ociArchiveDestination } from '../../src/main/images/archive-destination.js';
import { convertImageBetween as convert } from '../convert/image-setting.js';
import { Layout } from '../convert/layout.js';
import { scratch } from '../convert/setting.js';
import { mountingTest } from '../tools/machine.js';
import { sha256 } from '../tools/read-layer.js';
import { run } from '../tools/run.js';
import { type TarEntry, tarEnd, tarEntry } from '../tools/tar-writer.js';

const layer = Buffer.concat([tarEntry({ name: 'f', content: 'hello' }), tarEnd]);

/** What `docker save` wrote of an image whose two layers are the same: the second one a link to the first. */
function savedBy(linkname: string): TarEntry[] {
  const rootfs = { type: 'layers', diff_ids: [sha256(layer), sha256(layer)] };
  return [
    { name: 'b/layer.tar', type: '2', linkname },
    { name: 'a/layer.tar', content: layer },
    { name: 'c.json', content: JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs }) },
    {
      name: 'manifest.json',
      content: JSON.stringify([{ Config: 'c.json', RepoTags: ['x:y'], Layers: ['a/layer.tar', 'b/layer.tar'] }]),
    },
    { name: 'repositories', content: JSON.stringify({ x: { y: 'b' } }) },
  ];
}

function write(path: string, entries: readonly TarEntry[]): void {
  writeFileSync(path, Buffer.concat([...entries.map((entry) => tarEntry(entry)), tarEnd]));
}

for (const linkname of ['../a/layer.tar', '/a/layer.tar', '../../../a/layer.tar', './../b/../a/layer.tar']) {
  test(`a layer of a docker archive may be a symlink to another: ${linkname}`, async (t) => {
    const directory = scratch(t);
    write(join(directory, 'd.tar'), savedBy(linkname));
    const { layers } = await convert(`docker-archive:${directory}/d.tar`, `oci:${directory}/to:t`);
    t.is(layers.length, 1); // one blob
    const to = new Layout(join(directory, 'to'));
    const manifest = to.manifest('t');
    t.is(manifest.layers.length, 2);
    t.deepEqual(
      manifest.layers.map((one) => to.diffId(one)),
      to.config(manifest).rootfs.diff_ids,
    );
  });
}

for (const linkname of ['../../../etc/passwd', '/proc/self/environ', 'layer.tar']) {
  test(`a layer of a docker archive that is a symlink to what is not in it is told of: ${linkname}`, async (t) => {
    const directory = scratch(t);
    write(join(directory, 'd.tar'), savedBy(linkname));
    const work = convert(`docker-archive:${directory}/d.tar`, `oci:${directory}/to:t`);
    const error = await t.throwsAsync(work, { instanceOf: CrfsError });
    t.is(error?.message, `${directory}/d.tar holds no b/layer.tar`);
  });
}

for (const [what, left, why] of [
  [
    'as docker wrote it before manifest.json',
    ['manifest.json'],
    ': it is in the form that docker wrote before 1.10, without manifest.json: load it with docker, and save it anew',
  ],
  ['that is none', ['manifest.json', 'repositories'], ' holds no manifest.json'],
] as const) {
  test(`a docker archive ${what} is refused in a line that says why`, async (t) => {
    const directory = scratch(t);
    const entries = savedBy('../a/layer.tar');
    write(
      join(directory, 'd.tar'),
      entries.filter(({ name }) => !left.some((one) => one === name)),
    );
    const work = convert(`docker-archive:${directory}/d.tar`, `oci:${directory}/to:t`);
    const error = await t.throwsAsync(work, { instanceOf: CrfsError });
    t.is(error?.message, `${directory}/d.tar${why}`);
  });
}

for (const form of [['gnu'], ['pax', '0.0'], ['pax', '0.1'], ['pax', '1.0']] as const) {
  test(`files of an archive that GNU tar has stored with holes are read whole: ${form.join(' ')}`, async (t) => {
    const directory = scratch(t);
    const from = join(directory, 'from');
    mkdirSync(from);
    const layout = new Layout(from);
    const content = Buffer.alloc(3 << 20);
    for (const at of [5000, 1 << 20, (2 << 20) + 77]) content.write('data', at);
    const tar = Buffer.concat([tarEntry({ name: 'holes', content }), tarEnd]);
    const config = layout.putJson('application/vnd.oci.image.config.v1+json', {
      rootfs: { type: 'layers', diff_ids: [sha256(tar)] },
    });
    const blob = layout.put('application/vnd.oci.image.layer.v1.tar', tar);
    const type = 'application/vnd.oci.image.manifest.v1+json';
    layout.index({ one: layout.putJson(type, { schemaVersion: 2, mediaType: type, config, layers: [blob] }) });
    await run('fallocate', ['--dig-holes', layout.path(blob.digest)]);
    const [format, version] = form;
    const options = [`--format=${format}`, ...(version ? [`--sparse-version=${version}`] : [])];
    const archive = join(directory, 'a.tar');
    await run('tar', ['--create', '--sparse', ...options, `--file=${archive}`, '-C', from, '.']);
    t.true(readFileSync(archive).length < tar.length, 'GNU tar has left holes out');
    await convert(`oci-archive:${archive}`, `oci:${directory}/to:t`);
    await convert(`oci:${from}`, `oci:${directory}/to:u`);
    const to = new Layout(join(directory, 'to'));
    t.deepEqual(to.manifest('t'), to.manifest('u'));
  });
}

const mounting = mountingTest();

mounting('an archive that cannot be begun on a full disk leaves nothing behind', async (t) => {
  const disk = scratch(t);
  await run('mount', ['-t', 'tmpfs', '-o', 'nr_inodes=2', 'none', disk]);
  try {
    await t.throwsAsync(ociArchiveDestination(join(disk, 'image.tar'), undefined), { code: 'CRFS_NO_SPACE' });
    t.deepEqual(readdirSync(disk), []);
  } finally {
    await run('umount', [disk]);
  }
});
