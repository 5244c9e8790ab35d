// SPDX-License-Identifier: GPL-3.0-or-later

import test from 'ava';
import { CrfsError } from '../../src/main/errors/error.js';
import {
  DOCKER_LIST,
  DOCKER_MANIFEST,
  OCI_INDEX,
  OCI_MANIFEST,
  parseManifest,
} from '../../src/main/registry/manifest.js';
import { choosePlatform, machinePlatform, parsePlatform } from '../../src/main/registry/platform.js';
import type { ImageIndex, ImageManifest } from '../../src/main/registry/types.js';

function digest(number: number): string {
  return `sha256:${String(number).padStart(64, '0')}`;
}

const BLOB = { mediaType: 'application/x', digest: digest(1), size: 10 };
const IMAGE = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: BLOB, layers: [BLOB] };

function parse(value: unknown, contentType?: string): ImageManifest | ImageIndex {
  return parseManifest(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), contentType, 'it');
}

for (const mediaType of [OCI_MANIFEST, DOCKER_MANIFEST]) {
  test(`a manifest of type ${mediaType} lists layers with their annotations`, (t) => {
    const layers = [{ ...BLOB, annotations: { a: 'b', __proto__x: 'c' } }];
    const parsed = parse({ ...IMAGE, mediaType, layers }) as ImageManifest;
    t.deepEqual(parsed.layers, layers);
  });
}

test('the type may stand in the header alone, or nowhere', (t) => {
  const { mediaType: _, ...rest } = IMAGE;
  t.is(parse(rest, `${DOCKER_MANIFEST}; charset=utf-8`).mediaType, DOCKER_MANIFEST);
  t.is(parse(rest, 'text/plain').mediaType, OCI_MANIFEST);
  t.is(parse(rest).mediaType, OCI_MANIFEST);
  t.is(parse({ schemaVersion: 2, manifests: [] }).mediaType, OCI_INDEX);
});

for (const [what, value] of [
  ['whose type has parameters', { ...IMAGE, mediaType: `${OCI_MANIFEST}; charset=utf-8` }],
  ['whose type is in capitals', { ...IMAGE, mediaType: OCI_MANIFEST.toUpperCase() }],
  ['whose type is null', { ...IMAGE, mediaType: null }],
  ['without annotations, as null', { ...IMAGE, annotations: null, layers: [{ ...BLOB, annotations: null }] }],
  ['with an annotation that is null', { ...IMAGE, layers: [{ ...BLOB, annotations: { a: null } }] }],
  ['with types of layers that nobody knows', { ...IMAGE, layers: [{ ...BLOB, mediaType: 'x/y;z=1' }] }],
  ['with layers that are kept elsewhere, too', { ...IMAGE, layers: [{ ...BLOB, urls: ['https://example.com/a'] }] }],
  ['with a layer of no type', { ...IMAGE, layers: [{ digest: BLOB.digest, size: 10 }] }],
] as const) {
  test(`a manifest ${what} is an image`, (t) => {
    const { mediaType, layers } = parse(value) as ImageManifest;
    t.is(mediaType, OCI_MANIFEST);
    t.like(layers, { length: 1, 0: { digest: BLOB.digest, size: 10, annotations: {} } });
  });
}

test('no layers, or no manifests, may be told by null', (t) => {
  t.deepEqual((parse({ ...IMAGE, layers: null }) as ImageManifest).layers, []);
  t.deepEqual((parse({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: null }) as ImageIndex).manifests, []);
});

test("an image of Docker's schema 1, and a digest of another kind, are named", (t) => {
  const old = { schemaVersion: 1, name: 'a', tag: 'b', fsLayers: [], signatures: [] };
  t.regex(t.throws(() => parse(old)).message, /is broken: it is of Docker's schema 1, which is given up/);
  const layers = [{ ...BLOB, digest: `sha512:${'a'.repeat(128)}` }];
  t.regex(
    t.throws(() => parse({ ...IMAGE, layers })).message,
    /layers\.0\.digest must be sha256: and 64 hex digits, not "sha512:a+…"$/,
  );
});

test('of an index that states no platforms, the first image is taken', (t) => {
  const entry = { ...BLOB, digest: digest(7) };
  const text = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [{ ...entry, platform: {} }, BLOB] };
  t.is(choosePlatform(parse(text) as ImageIndex, parsePlatform('linux/amd64'), 'it').digest, digest(7));
  const mixed = { ...text, manifests: [{ ...BLOB, platform: { os: 'linux', architecture: 'amd64' } }, entry] };
  t.is(choosePlatform(parse(mixed) as ImageIndex, parsePlatform('linux/amd64'), 'it').digest, BLOB.digest);
});

for (const [what, value] of [
  ['is not JSON', '{'],
  ['is not an object', '[]'],
  ['is null', 'null'],
  ['is not UTF-8', Buffer.from([0x22, 0xff, 0x22]).toString('latin1')],
  ['has schema version 1', { ...IMAGE, schemaVersion: 1 }],
  ['is of another type', { ...IMAGE, mediaType: 'application/json' }],
  ['is both an image and an index', { ...IMAGE, manifests: [] }],
  ['has no layers', { ...IMAGE, layers: undefined }],
  ['has a layer that is null', { ...IMAGE, layers: [null] }],
  ['has layers in an object', { ...IMAGE, layers: { length: 1 } }],
  ['has a digest with a path', { ...IMAGE, layers: [{ ...BLOB, digest: '../../etc/passwd' }] }],
  ['has an upper-case digest', { ...IMAGE, layers: [{ ...BLOB, digest: `sha256:${'A'.repeat(64)}` }] }],
  ['has a negative size', { ...IMAGE, layers: [{ ...BLOB, size: -1 }] }],
  ['has a size beyond integers', { ...IMAGE, layers: [{ ...BLOB, size: 1e300 }] }],
  ['has a size in text', { ...IMAGE, layers: [{ ...BLOB, size: '10' }] }],
  ['has annotations that are numbers', { ...IMAGE, layers: [{ ...BLOB, annotations: { a: 1 } }] }],
  ['has no config', { ...IMAGE, config: undefined }],
  [
    'is an index with a broken entry',
    { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [{ ...BLOB, platform: 'linux' }] },
  ],
] as const) {
  test(`a manifest that ${what} is refused`, (t) => {
    const error = t.throws(() => parse(value), { instanceOf: CrfsError });
    t.is(error?.code, 'CRFS_BAD_LAYER');
  });
}

test('deeply nested JSON is an error, not a crash', (t) => {
  const error = t.throws(() => parse('['.repeat(1_000_000) + ']'.repeat(1_000_000)), { instanceOf: CrfsError });
  t.is(error?.code, 'CRFS_BAD_LAYER');
});

function index(...platforms: (string | undefined)[]): ImageIndex {
  const manifests = platforms.map((text, number) => ({
    ...BLOB,
    digest: digest(number),
    ...(text && { platform: parsePlatform(text) }),
  }));
  return parse({ schemaVersion: 2, mediaType: DOCKER_LIST, manifests }) as ImageIndex;
}

for (const [wanted, platforms, chosen] of [
  ['linux/amd64', ['linux/arm64', 'linux/amd64'], 1],
  ['linux/amd64', ['windows/amd64', 'unknown/unknown', 'linux/amd64', 'linux/amd64'], 2],
  ['linux/amd64', ['linux/amd64/v3', 'linux/amd64'], 1],
  ['linux/arm64/v8', ['linux/arm64'], 0],
  ['linux/arm64', ['linux/arm64/v8'], 0],
  ['linux/arm/v7', ['linux/arm/v5', 'linux/arm/v6', 'linux/arm64/v8'], 1],
  ['linux/arm/v7', ['linux/arm/v6', 'linux/arm/v7'], 1],
  ['linux/s390x', [undefined, 'linux/s390x'], 1],
] as const) {
  test(`for ${wanted}, of ${platforms.join(', ')} number ${chosen} is chosen`, (t) => {
    t.is(choosePlatform(index(...platforms), parsePlatform(wanted), 'it').digest, digest(chosen));
  });
}

test('a platform that an index lacks is not found, and the error names those that it has', (t) => {
  const error = t.throws(
    () => choosePlatform(index('linux/arm64', 'linux/arm/v7'), parsePlatform('linux/arm/v6'), 'it'),
    { instanceOf: CrfsError },
  );
  t.is(error?.code, 'CRFS_NOT_FOUND');
  t.regex(error?.message ?? '', /linux\/arm64, linux\/arm\/v7/);
});

test('the platform of this machine is one of Linux', (t) => {
  t.is(machinePlatform().os, 'linux');
  t.not(machinePlatform().architecture, 'x64');
});

for (const text of ['', 'linux', 'linux/', 'linux/a/b/c', 'linux/AMD64', 'linux/amd64 ']) {
  test(`${JSON.stringify(text)} is not a platform`, (t) => {
    t.is(t.throws(() => parsePlatform(text), { instanceOf: CrfsError })?.code, 'CRFS_USAGE');
  });
}
