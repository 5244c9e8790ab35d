// SPDX-License-Identifier: GPL-3.0-or-later

/** Looking into layers in zstd:chunked, and proving them. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { LayerReport } from '../../src/main/inspect/verify.js';
import { expected, zstd } from '../tools/compressed-stream.js';
import { noise, text } from '../tools/content.js';
import { crfs, type Machine } from '../tools/machine.js';
import { sha256 } from '../tools/read-layer.js';
import { startRegistry } from '../tools/registry.js';
import { run } from '../tools/run.js';
import { filesInZstd, layoutOf, type ZstdChunked, zstdChunked } from '../tools/zstd-chunked.js';
import { invoke, makeMachine, registryTest } from './setting.js';

const FILES = {
  small: [text(100)],
  large: [text(200_000), { zeros: 70_000 }, noise(300_000)],
  zeros: [{ zeros: 9000 }],
};
const LARGE = Buffer.concat([text(200_000), Buffer.alloc(70_000), noise(300_000)]);
const compress = (content: Buffer): Buffer => zstd(content);
const DIGEST = 'io.github.containers.zstd-chunked.manifest-checksum';
const POSITION = 'io.github.containers.zstd-chunked.manifest-position';
const OLD_DIGEST = 'io.containers.zstd-chunked.manifest-checksum';
const OLD_POSITION = 'io.containers.zstd-chunked.manifest-position';

/** An image of one layer in an OCI layout. Returns its name. */
function imageOf(machine: Machine, { blob }: ZstdChunked, annotations?: Record<string, string>): string {
  const directory = machine.directory('layout');
  const mediaType = 'application/vnd.oci.image.layer.v1.tar+zstd';
  const diffId = sha256(expected('zstd', blob).bytes);
  layoutOf(directory, [{ mediaType, bytes: blob, diffId, ...(annotations && { annotations }) }]);
  return `oci:${directory}:1`;
}

for (const [what, footer, annotate] of [
  [
    'annotations and no footer',
    'none',
    (layer: ZstdChunked) => ({ [DIGEST]: layer.digest, [POSITION]: layer.position }),
  ],
  [
    'annotations by their old names',
    'old',
    (layer: ZstdChunked) => ({ [OLD_DIGEST]: layer.digest, [OLD_POSITION]: layer.position }),
  ],
  ['the digest of its TOC alone', 'today', (layer: ZstdChunked) => ({ [DIGEST]: layer.digest })],
  ['nothing said of its TOC', 'today', () => undefined],
] as const) {
  test(`an image with ${what} is listed, printed and proven`, async (t) => {
    const machine = makeMachine(t);
    const layer = filesInZstd(FILES, { compress, footer });
    const name = imageOf(machine, layer, annotate(layer));
    t.is((await invoke(machine, ['ls', name])).stdout, 'large\nsmall\nzeros\n');
    t.is((await invoke(machine, ['cat', name, 'small'])).stdout, String(text(100)));
    const { layers } = JSON.parse((await invoke(machine, ['inspect', '--json', name])).stdout);
    t.like(layers[0], { lazy: true, format: 'zstd:chunked', tocDigest: annotate(layer) ? layer.digest : null });
    const { code, stdout, stderr } = await invoke(machine, ['verify', '--json', name]);
    t.deepEqual([code, stderr], [0, '']);
    const [report] = (JSON.parse(stdout) as { layers: LayerReport[] }).layers;
    t.deepEqual(report?.problems, []);
    t.like(report, { kind: 'zstd:chunked', tocDigest: layer.digest, files: 3, verifiable: true });
  });
}

for (const [what, annotations, message] of [
  ['another TOC', { [DIGEST]: sha256(Buffer.of()) }, /its TOC is sha256:\w+, not sha256:\w+ as the manifest says$/],
  ['a TOC where none is', { [POSITION]: '20:100:100:1' }, /the TOC cannot be decoded: .*$/],
  [
    'a TOC nowhere',
    { [POSITION]: '8:1000000000000:100:1' },
    /the manifest places the TOC at 8, 1000000000000 bytes long.*$/,
  ],
  ['a position that is none', { [POSITION]: 'here' }, /the manifest says of its TOC's position "here"$/],
  ['a digest that is none', { [DIGEST]: 'sha256:x' }, /the TOC digest of sha256:\w+ is not a sha256 digest$/],
] as const) {
  test(`an image whose manifest names ${what} is refused in one line`, async (t) => {
    const machine = makeMachine(t);
    const name = imageOf(machine, filesInZstd(FILES), annotations);
    const { code, stdout, stderr } = await invoke(machine, ['ls', name]);
    t.deepEqual([code, stdout], [1, '']);
    t.regex(stderr, /^crfs: [^\n]*\n$/);
    t.regex(stderr.trimEnd(), message);
  });
}

registryTest('a layer at a URL is printed chunk by chunk, zeros too', async (t) => {
  const machine = makeMachine(t);
  const registry = await startRegistry({ root: machine.directory('registry') });
  t.teardown(() => registry.stop());
  const layer = filesInZstd(FILES, { compress });
  const name = imageOf(machine, layer);
  await run('skopeo', [
    '--insecure-policy',
    'copy',
    '-q',
    '--dest-tls-verify=false',
    name,
    `docker://${registry.host}/l:1`,
  ]);
  const url = `${registry.url}/v2/l/blobs/${sha256(layer.blob)}`;
  const outcome = await run(crfs, ['cat', url, 'large'], { env: machine.env });
  t.true(outcome.equals(LARGE));
});

test('stat tells where the chunks of a file lie', async (t) => {
  const machine = makeMachine(t);
  const layer = filesInZstd(FILES);
  const path = join(machine.root, 'layer.zst');
  writeFileSync(path, layer.blob);
  const { chunks } = JSON.parse((await invoke(machine, ['stat', '--json', path, 'large'])).stdout);
  t.deepEqual(
    chunks.map(({ fileOffset, size, offset, end }: Record<string, number>) => [fileOffset, size, offset === end]),
    [
      [0, 200_000, false],
      [200_000, 70_000, true],
      [270_000, 300_000, false],
    ],
  );
  t.is(chunks[1].digest, sha256(Buffer.alloc(70_000)));
});

test('verify finds the file that a flipped byte is in, and the blob that cannot be decoded', async (t) => {
  const machine = makeMachine(t);
  const { blob, entries } = filesInZstd(FILES, { compress });
  const offset = Number(entries.find(({ name }) => name === 'small')?.['offset']);
  blob.writeUInt8(blob.readUInt8(offset + 30) ^ 1, offset + 30);
  const path = join(machine.root, 'layer.zst');
  writeFileSync(path, blob);
  const { code, stderr } = await invoke(machine, ['verify', path]);
  t.is(code, 1);
  t.deepEqual(
    stderr
      .split('\n')
      .filter((line) => /zstd/.test(line))
      .map((line) => line.replace(/decoded: .*/, 'decoded'))
      .sort(),
    [
      `crfs: ${path}: "small": a zstd frame cannot be decoded`,
      `crfs: ${path}: the blob is no sound zstd stream`,
    ].sort(),
  );
});

test('verify finds zeros that are none, however many', async (t) => {
  const machine = makeMachine(t);
  const size = 100 << 20; // more than a mount holds against their digest
  const toc = { version: 1, entries: [{ type: 'reg', name: 'f', size, chunkType: 'zeros', digest: sha256(text(5)) }] };
  const path = join(machine.root, 'layer.zst');
  writeFileSync(path, zstdChunked(zstd(Buffer.alloc(512)), JSON.stringify(toc)).blob);
  const { code, stderr } = await invoke(machine, ['verify', path]);
  t.is(code, 1);
  t.regex(stderr, /"f": the chunk at 0 /);
});
