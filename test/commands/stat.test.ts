// SPDX-License-Identifier: GPL-3.0-or-later

import { join } from 'node:path';
import test from 'ava';
import type { AllFacts } from '../../src/main/inspect/facts.js';
import { Layout } from '../convert/layout.js';
import { readLayer, sha256 } from '../tools/read-layer.js';
import { invoke, layerOf, makeMachine, SMALL, TIME } from './setting.js';

test('stat shows all that is known of a file', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  const { stdout, stderr, code } = await invoke(machine, ['stat', layer, '/bin/tool']);
  const digest = sha256(Buffer.from('run\n'));
  const { entries } = readLayer(layer);
  const { offset = 0 } = entries.find(({ name }) => name === 'bin/tool') ?? {};
  const end = entries.find((entry) => (entry.offset ?? 0) > offset)?.offset;
  const member = `${offset}..${end}`;
  t.deepEqual(stdout.replace(/inode +\d+/, 'inode     7').split('\n'), [
    'path      /bin/tool',
    'type      file',
    'mode      4755 (-rwsr-xr-x)',
    'owner     uid 0, gid 0',
    'size      4 bytes',
    'modified  2017-07-14T02:40:00.000000000Z',
    'inode     7, 2 links',
    `digest    ${digest}`,
    `layer     1, ${layer} (estargz)`,
    'xattr     user.note = "hi"',
    'xattr     user.raw = 0x00ff',
    '',
    `CHUNK AT  BYTES  ${'MEMBER'.padEnd(member.length)}  INNER  DIGEST`,
    `0         4      ${member}  0      ${digest}`,
    '',
  ]);
  t.is(stderr, '');
  t.is(code, 0);
});

test('stat --json has every chunk of a file, with its digest', async (t) => {
  const machine = makeMachine(t);
  const content = Buffer.from('0123456789'.repeat(130));
  const layer = await layerOf(machine, [{ name: 'f', mtime: TIME, mtimeNsec: 5, content }], { chunkSize: 512 });
  const facts = JSON.parse((await invoke(machine, ['stat', '--json', layer, 'f'])).stdout) as AllFacts;
  const entries = readLayer(layer).entries.filter(({ name }) => name === 'f');
  t.deepEqual(
    facts.chunks.map(({ fileOffset, size, offset, innerOffset, digest }) => [
      fileOffset,
      size,
      offset,
      innerOffset,
      digest,
    ]),
    [0, 512, 1024].map((at, i) => {
      const part = content.subarray(at, at + 512);
      return [at, part.length, entries[i]?.offset, 0, sha256(part)];
    }),
  );
  const { path, type, mode, size, mtime, digest, layerName, layerKind, layerDigest, xattrs } = facts;
  t.deepEqual(
    { path, type, mode, size, mtime, digest, layerName, layerKind, layerDigest, xattrs },
    {
      path: '/f',
      type: 'file',
      mode: '0644',
      size: 1300,
      mtime: '2017-07-14T02:40:00.000000005Z',
      digest: sha256(content),
      layerName: layer,
      layerKind: 'estargz',
      layerDigest: null,
      xattrs: {},
    },
  );
});

test('stat names a layer of an image by its number and its digest', async (t) => {
  const machine = makeMachine(t);
  const from = new Layout(join(machine.root, 'from'));
  from.index({ one: from.image([SMALL]) });
  await invoke(machine, ['stargzify', 'oci:from:one', 'oci:to:one']);
  const [layer] = new Layout(join(machine.root, 'to')).manifest('one').layers;
  const { stdout } = await invoke(machine, ['stat', 'oci:to:one', 'usr']);
  t.true(stdout.includes(`\nlayer     1, ${layer?.digest} (estargz)\n`), stdout);
});

test('stat shows a symlink itself, and a device', async (t) => {
  const machine = makeMachine(t);
  const layer = await layerOf(machine, SMALL);
  t.regex((await invoke(machine, ['stat', layer, 'etc/link'])).stdout, /^type +symlink\ntarget +\/usr\/share$/m);
  t.regex((await invoke(machine, ['stat', layer, 'usr/null'])).stdout, /^type +char\ndevice +1, 3$/m);
  t.regex((await invoke(machine, ['stat', layer, 'etc/link/'])).stdout, /^path +\/usr\/share$/m);
});
