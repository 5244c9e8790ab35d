// SPDX-License-Identifier: GPL-3.0-or-later

/** Images on disk whose own files make no sense. */

import test from 'ava';
import { streaming } from '../../src/main/blob/streaming.js';
import { CrfsError } from '../../src/main/errors/error.js';
import { dockerArchiveSource } from '../../src/main/images/docker-archive.js';
import type { ImageFiles } from '../../src/main/images/files.js';
import { layoutSource } from '../../src/main/images/layout-source.js';
import { OCI_MANIFEST } from '../../src/main/registry/manifest.js';

/** An archive of these files. */
function archive(files: Readonly<Record<string, unknown>>): ImageFiles {
  return {
    name: 'archive',
    async open(path) {
      const content = files[path];
      if (content === undefined) throw new CrfsError('CRFS_NOT_FOUND', `archive holds no ${path}`);
      const bytes = Buffer.from(typeof content === 'string' ? content : JSON.stringify(content));
      return streaming({
        name: path,
        size: bytes.length,
        read: async (offset, length) => bytes.subarray(offset, offset + length),
        close: async () => undefined,
      });
    },
    close: async () => undefined,
  };
}

const IMAGE = { Config: 'config', RepoTags: null, Layers: [] };

for (const [what, manifest, told] of [
  ['is not JSON', '<html>', /manifest\.json: is not JSON/],
  ['is null', null, /manifest\.json: must be a list of images, not null$/],
  ['lists a number', [5], /manifest\.json: 0 must be an object, not 5$/],
  ['lists an image without a config', [{ Layers: [] }], /manifest\.json: 0\.Config must be given$/],
  [
    'lists layers that are no paths',
    [{ ...IMAGE, Layers: [5] }],
    /manifest\.json: 0\.Layers\.0 must be a string, not 5$/,
  ],
] as const) {
  test(`a docker archive whose list ${what} is refused`, async (t) => {
    const files = archive({ 'manifest.json': manifest, config: '{}' });
    const error = await t.throwsAsync(dockerArchiveSource(files, undefined), { code: 'CRFS_BAD_LAYER' });
    t.regex(error?.message ?? '', told);
  });
}

for (const [what, config, told] of [
  ['is not JSON', '<html>', /the config of archive is broken: is not JSON/],
  [
    'lists DiffIDs that are none',
    { rootfs: { diff_ids: ['sha256:5'] } },
    /rootfs\.diff_ids\.0 must be sha256: and 64 hex/,
  ],
  ['lists too few DiffIDs', {}, /rootfs\.diff_ids lists 0 layers, and the manifest 1$/],
] as const) {
  test(`a docker archive whose config ${what} is refused`, async (t) => {
    const files = archive({ 'manifest.json': [{ ...IMAGE, Layers: ['layer.tar'] }], config });
    const error = await t.throwsAsync(dockerArchiveSource(files, undefined), { code: 'CRFS_BAD_LAYER' });
    t.regex(error?.message ?? '', told);
  });
}

test('a docker archive of an image without layers may say so by null', async (t) => {
  const files = archive({ 'manifest.json': [{ ...IMAGE, Layers: null }], config: { rootfs: { diff_ids: null } } });
  t.like(await (await dockerArchiveSource(files, undefined)).top(), { layers: [] });
});

test('a layout whose index is the manifest of an image is refused', async (t) => {
  const config = { digest: `sha256:${'0'.repeat(64)}`, size: 1 };
  const files = archive({ 'index.json': { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [] } });
  const error = await t.throwsAsync(layoutSource(files, undefined), { code: 'CRFS_BAD_LAYER' });
  t.regex(error?.message ?? '', /^index\.json is broken: it is no index, but of type /);
});
