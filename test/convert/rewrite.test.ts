// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { layerDescriptor, OCI, rewriteConfig, rewriteIndex } from '../../src/main/convert/image/rewrite.js';
import type { LayerResult } from '../../src/main/convert/layer.js';
import { CrfsError } from '../../src/main/errors/error.js';
import { OCI_INDEX, parseIndex } from '../../src/main/registry/manifest.js';

const DIFF = `sha256:${'a'.repeat(64)}`;
const LAYER = {
  descriptor: { mediaType: 'x', digest: DIFF, size: 1, annotations: {} },
  diffId: `sha256:${'b'.repeat(64)}`,
};

for (const [what, config, told] of [
  ['is not JSON', '<html>', /^the config of it is broken: is not JSON/],
  ['is no object', '5', /^the config of it is broken: must be an object, not 5$/],
  ['lists no layers', '{}', /^the config of it is broken: rootfs\.diff_ids lists 0 layers, and the manifest 1$/],
  ['lists what is no digest', '{"rootfs":{"diff_ids":["x"]}}', /: rootfs\.diff_ids\.0 must be sha256: .*, not "x"$/],
  [
    'is nested deeper than can be written',
    `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)},"rootfs":{"diff_ids":["${DIFF}"]}}`,
    /^the config of it: is nested too deeply$/,
  ],
] as const) {
  test(`a config that ${what} is refused in one line`, (t) => {
    const error = t.throws(() => rewriteConfig(Buffer.from(config), [LAYER], 'it'), { instanceOf: CrfsError });
    t.is(error?.code, 'CRFS_BAD_LAYER');
    t.regex(error?.message ?? '', told);
  });
}

test('of a config, all but the DiffIDs of converted layers stays', (t) => {
  const config = { a: null, rootfs: { type: 'layers', more: 1, diff_ids: [DIFF, DIFF] }, constructor: 'b' };
  const changed = rewriteConfig(Buffer.from(JSON.stringify(config)), [LAYER, { ...LAYER, diffId: undefined }], 'it');
  const rootfs = { ...config.rootfs, diff_ids: [LAYER.diffId, DIFF] };
  t.deepEqual(JSON.parse(Buffer.from(changed).toString()), { ...config, rootfs });
});

test('a config whose DiffIDs stay is left byte for byte', (t) => {
  const config = Buffer.from(`{ "rootfs": {"diff_ids": ["${DIFF}"], "type": "layers"} }`);
  t.deepEqual(Buffer.from(rewriteConfig(config, [{ ...LAYER, diffId: DIFF }], 'it')), config);
});

test('annotations of a layer that say how it was laid out go when it is laid out anew', (t) => {
  const old = {
    ...LAYER.descriptor,
    annotations: {
      'containerd.io/snapshot/stargz/toc.digest': 'old',
      'io.containers.zstd-chunked.position': 'old',
      'io.github.containers.zstd-chunked.manifest-checksum': 'old',
      'org.example.note': 'kept',
    },
  };
  const result = { digest: DIFF, size: 2, annotations: { 'io.containers.own': 'new' } } as unknown as LayerResult;
  t.deepEqual(layerDescriptor(old, result, OCI).annotations, {
    'org.example.note': 'kept',
    'io.containers.own': 'new',
  });
});

test('an index may say by null that it lists nothing', (t) => {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: null, a: 1 }));
  const changed = rewriteIndex(parseIndex(bytes, 'it'), new Map(), OCI);
  t.deepEqual(JSON.parse(changed.toString()), { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [], a: 1 });
});
